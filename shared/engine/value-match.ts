/**
 * Matches of one value: a header or a query parameter, as routes and faults
 * compare it.
 *
 * @module
 */

/** Whether a whole text has a form. */
export type Pattern = (text: string) => boolean;

/**
 * Makes the pattern of a regular expression, which must match from the first
 * to the last character (Envoy, Gateway API), in time linear in the text.
 * Throws when the expression is none. The host brings it: the engine has no
 * regular expressions of others, and the platform's own can take for ever.
 */
export type CompilePattern = (source: string) => Pattern;

/** What one header or query parameter must be. Header names are in lower case. */
export interface ValueMatch {
  readonly name: string;
  /** `present` holds for any value, even an empty one; `regex` for values that match as a whole. */
  readonly kind: "exact" | "prefix" | "suffix" | "contains" | "present" | "regex";
  /** Empty for `present`. */
  readonly value: string;
  /** Holds exactly when the match without it does not: for a missing value, too (Istio's `withoutHeaders`). */
  readonly isInverted?: true;
  /** Upper and lower case are the same. A `regex` says so itself: `(?i)`. */
  readonly ignoresCase?: true;
}

/** Whether a value satisfies a match; `null` is a value that is not there. */
export type ValueTest = (value: string | null) => boolean;

/** Makes the test of a match. Throws when its regular expression is none. */
export function compile(match: ValueMatch, compilePattern: CompilePattern): ValueTest {
  const test = testOf(match, compilePattern);
  return match.isInverted === true ? (value) => !test(value) : test;
}

function testOf(match: ValueMatch, compilePattern: CompilePattern): ValueTest {
  if (match.kind === "present") return (value) => value !== null;
  const pattern = match.kind === "regex" ? compilePattern(match.value) : comparison(match);
  return (value) => value !== null && pattern(value);
}

function comparison({ kind, value, ignoresCase }: ValueMatch): Pattern {
  if (ignoresCase !== true) return compare(kind, value);
  const lowered = compare(kind, value.toLowerCase());
  return (text) => lowered(text.toLowerCase());
}

function compare(kind: ValueMatch["kind"], wanted: string): Pattern {
  switch (kind) {
    case "prefix":
      return (text) => text.startsWith(wanted);
    case "suffix":
      return (text) => text.endsWith(wanted);
    case "contains":
      return (text) => text.includes(wanted);
    default:
      return (text) => text === wanted;
  }
}

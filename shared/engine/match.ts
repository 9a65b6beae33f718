/**
 * String matches shared by routes and policies.
 *
 * @module
 */

/**
 * How one string is compared. `present` holds for any non-empty value.
 * All comparisons are case-sensitive; callers lower both sides where the
 * field is not (host names).
 */
export type StringMatch =
  | { readonly kind: "exact"; readonly value: string }
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "suffix"; readonly value: string }
  | { readonly kind: "contains"; readonly value: string }
  | { readonly kind: "present" };

/**
 * Decides whether `value` satisfies the match. The empty string is never
 * present, but may be a prefix of itself. Throws at a kind that only a newer
 * release knows: a policy that cannot be read must not be taken for one that
 * does not match.
 */
export function matches(match: StringMatch, value: string): boolean {
  switch (match.kind) {
    case "exact":
      return value === match.value;
    case "prefix":
      return value.startsWith(match.value);
    case "suffix":
      return value.endsWith(match.value);
    case "contains":
      return value.includes(match.value);
    case "present":
      return value !== "";
    default:
      throw unknownKind(match);
  }
}

/** What to throw at a value of a union that has no such member here: it came from a newer release. */
export function unknownKind(value: never): Error {
  return new Error(`a kind that this release does not know: ${JSON.stringify(value).slice(0, 128)}`);
}

/** Decides whether any match of the list holds; an empty list holds for nothing. */
export function matchesAny(list: readonly StringMatch[], value: string): boolean {
  // An index, not `some`: this runs for every call, and a closure would be allocated each time.
  for (let index = 0; index < list.length; index++) {
    const match = list[index];
    if (match !== undefined && matches(match, value)) return true;
  }
  return false;
}

/**
 * Reads Istio's string syntax: `*` is present, `*abc` a suffix, `abc*` a
 * prefix, anything else exact. A star in the middle is literal; of a star at
 * both ends the leading one counts, so that `*a*` is the suffix `a*`.
 */
export function parseStringMatch(text: string): StringMatch {
  if (text === "*") return { kind: "present" };
  if (text.startsWith("*")) return { kind: "suffix", value: text.slice(1) };
  if (text.endsWith("*")) return { kind: "prefix", value: text.slice(0, -1) };
  return { kind: "exact", value: text };
}

/** Reads what a header's value is compared with: as other texts, and `*a*` holds for values with an `a` in them (Istio). */
export function parseHeaderMatch(text: string): StringMatch {
  return text.length > 2 && text.startsWith("*") && text.endsWith("*")
    ? { kind: "contains", value: text.slice(1, -1) }
    : parseStringMatch(text);
}

/**
 * A log that shows when somebody has changed it: each line has the hash of the
 * line before and of its own content. Whoever changes, removes, inserts or
 * moves a line has to write every later hash anew, and the last one then
 * differs from what an operator has noted elsewhere.
 *
 * @module
 */

/** SHA-256 of a text's UTF-8, in lower-case hex: an argument, since hosts bring their own. */
export type Sha256 = (text: string) => string;

/** A place in a log: the line of this number has this hash. */
export interface ChainPoint {
  /** Grows along the log, not necessarily by one. */
  readonly number: number;
  readonly hash: string;
}

export interface ChainLine extends ChainPoint {
  /** A JSON object whose first field is `number`. */
  readonly content: string;
}

/** What lies before the first line. */
export const GENESIS: ChainPoint = { number: 0, hash: "0".repeat(64) };

/** How far a log has been followed, or the first line that is not as it should be: "line 8" and then its `fault`. */
export type Walk =
  | { readonly kind: "fits"; readonly at: ChainPoint; readonly lines: number; readonly first: number | null }
  | { readonly kind: "broken"; readonly number: number; readonly fault: string };

/** The hash of a line: of the hash before it, a line feed, and its content. */
export function hashLine(previous: string, content: string, sha256: Sha256): string {
  return sha256(`${previous}\n${content}`);
}

/** Content of a line: its fields in the order given, after the number. */
export function contentOf(fields: { readonly number: number; readonly [name: string]: unknown }): string {
  const { number, ...rest } = fields;
  return JSON.stringify({ number, ...rest });
}

/**
 * The beginning of a walk: from what was pruned last, or from a place that is
 * noted. What is noted must not have been pruned itself, or nothing proves it.
 */
export function walkFrom(at: ChainPoint, noted: ChainPoint | null): Walk {
  if (noted !== null && noted.number < at.number) {
    return broken(noted.number, `is gone because of its age, with all up to ${at.number}: note a newer one`);
  }
  if (noted?.number === at.number && noted.hash !== at.hash) return broken(at.number, OTHER);
  return { kind: "fits", at, lines: 0, first: null };
}

/**
 * Follows further lines, oldest first, up to the first that does not fit. If
 * `noted`, known from elsewhere, is to be among them, it must be as it was.
 */
export function follow(
  walk: Walk,
  lines: readonly ChainLine[],
  sha256: Sha256,
  noted: ChainPoint | null,
): Walk {
  let reached = walk;
  for (const line of lines) {
    if (reached.kind === "broken") return reached;
    const { at, lines: count, first } = reached;
    const fault = misfit(at, line, sha256) ?? departure(at, line, noted);
    const { number, hash } = line;
    reached =
      fault === null
        ? { kind: "fits", at: { number, hash }, lines: count + 1, first: first ?? number }
        : broken(number, fault);
  }
  return reached;
}

/** Compares where a walk has ended with where the log says that it ends, and with what is noted. */
export function finish(walk: Walk, head: ChainPoint, noted: ChainPoint | null): Walk {
  if (walk.kind === "broken") return walk;
  const { at } = walk;
  if (noted !== null && noted.number > head.number) {
    return broken(noted.number, `was noted, and the log ends before it, with line ${head.number}`);
  }
  if (at.number < head.number)
    return broken(head.number, `is missing at the end, with all after line ${at.number}`);
  if (at.number > head.number) return broken(at.number, "lies beyond the end of the log");
  return at.hash === head.hash ? walk : broken(at.number, "has another hash than the end of the log");
}

function misfit(at: ChainPoint, line: ChainLine, sha256: Sha256): string | null {
  const isInOrder = line.number > at.number && line.content.startsWith(`{"number":${line.number},`);
  if (isInOrder && hashLine(at.hash, line.content, sha256) === line.hash) return null;
  return `does not follow line ${at.number}: it was changed, or what came before it was changed, moved or removed`;
}

/** Whether a line contradicts what was noted: has its number and another hash, or stands where it was. */
function departure(at: ChainPoint, line: ChainLine, noted: ChainPoint | null): string | null {
  if (noted === null || noted.number <= at.number || noted.number > line.number) return null;
  if (noted.number < line.number) return `stands where line ${noted.number} was noted`;
  return noted.hash === line.hash ? null : OTHER;
}

const OTHER = "has another hash than the one that was noted";

function broken(number: number, fault: string): Walk {
  return { kind: "broken", number, fault };
}

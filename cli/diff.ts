/**
 * Differences of texts by lines, in the unified form that people know.
 *
 * @module
 */

/** One line of a comparison. */
export interface DiffLine {
  readonly mark: " " | "-" | "+";
  readonly text: string;
}

/** Lines of context around a change, as with `diff -u`. */
const CONTEXT = 3;

/** Beyond this many comparisons the middle is told as replaced, not compared. */
const MAX_CELLS = 4_000_000;

/** The unified difference of two texts; empty when they are equal. Every line ends in a line feed. */
export function unifiedDiff(before: string, after: string): readonly string[] {
  const lines = compareLines(splitLines(before), splitLines(after));
  return hunks(lines).flatMap(({ start, end }) => [
    header(lines, start, end),
    ...lines.slice(start, end).map(({ mark, text }) => mark + text),
  ]);
}

function splitLines(text: string): readonly string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

/** All lines of both texts, the common ones once, by the longest common subsequence. */
export function compareLines(before: readonly string[], after: readonly string[]): readonly DiffLine[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  let tail = 0;
  const room = Math.min(before.length, after.length) - head;
  while (tail < room && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  return [
    ...before.slice(0, head).map(kept),
    ...compareMiddle(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...before.slice(before.length - tail).map(kept),
  ];
}

function kept(text: string): DiffLine {
  return { mark: " ", text };
}

function removed(text: string): DiffLine {
  return { mark: "-", text };
}

function added(text: string): DiffLine {
  return { mark: "+", text };
}

function compareMiddle(before: readonly string[], after: readonly string[]): readonly DiffLine[] {
  if (before.length * after.length > MAX_CELLS) return [...before.map(removed), ...after.map(added)];
  const common = commonLengths(before, after);
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < before.length && j < after.length) {
    const [left = "", right = ""] = [before[i], after[j]];
    if (left === right) {
      lines.push(kept(left));
      i += 1;
      j += 1;
    } else if ((common[i + 1]?.[j] ?? 0) >= (common[i]?.[j + 1] ?? 0)) {
      lines.push(removed(left));
      i += 1;
    } else {
      lines.push(added(right));
      j += 1;
    }
  }
  return [...lines, ...before.slice(i).map(removed), ...after.slice(j).map(added)];
}

/** `[i][j]`: how many lines the rests from `i` and from `j` have in common, in order. */
function commonLengths(before: readonly string[], after: readonly string[]): readonly Uint32Array[] {
  const rows = Array.from({ length: before.length + 1 }, () => new Uint32Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i -= 1) {
    const [row, next] = [rows[i], rows[i + 1]];
    if (row === undefined || next === undefined) continue;
    for (let j = after.length - 1; j >= 0; j -= 1) {
      const same = (next[j + 1] ?? 0) + 1;
      row[j] = before[i] === after[j] ? same : Math.max(next[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  return rows;
}

interface Hunk {
  readonly start: number;
  readonly end: number;
}

/** Ranges of lines around changes; those that touch are one. */
function hunks(lines: readonly DiffLine[]): readonly Hunk[] {
  const ranges: { start: number; end: number }[] = [];
  lines.forEach(({ mark }, at) => {
    if (mark === " ") return;
    const start = Math.max(0, at - CONTEXT);
    const end = Math.min(lines.length, at + 1 + CONTEXT);
    const last = ranges.at(-1);
    if (last !== undefined && start <= last.end) last.end = end;
    else ranges.push({ start, end });
  });
  return ranges;
}

function header(lines: readonly DiffLine[], start: number, end: number): string {
  return `@@ -${span(lines, start, end, "+")} +${span(lines, start, end, "-")} @@`;
}

/** `first,count` of a hunk in the text that lacks `foreign` lines; an empty range names the line before it. */
function span(lines: readonly DiffLine[], start: number, end: number, foreign: "+" | "-"): string {
  const count = (from: number, to: number): number =>
    lines.slice(from, to).filter(({ mark }) => mark !== foreign).length;
  const length = count(start, end);
  return `${count(0, start) + (length > 0 ? 1 : 0)},${length}`;
}

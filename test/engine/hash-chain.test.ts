import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  contentOf,
  finish,
  follow,
  GENESIS,
  hashLine,
  walkFrom,
  type ChainLine,
  type ChainPoint,
  type Walk,
} from "../../shared/engine/hash-chain.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

function chain(count: number, detail = "done"): ChainLine[] {
  const lines: ChainLine[] = [];
  for (let number = 1; number <= count; number += 1) {
    const content = contentOf({ number, detail: `${detail} ${number}` });
    lines.push({ number, content, hash: hashLine(lines.at(-1)?.hash ?? GENESIS.hash, content, sha256) });
  }
  return lines;
}

/** Reads a log in pages, as a client does. */
function verify(
  lines: readonly ChainLine[],
  { anchor = GENESIS, head = pointOf(LINES.at(-1)), noted = null }: Partial<Readonly<Checked>> = {},
): Walk {
  let walk = walkFrom(anchor, noted);
  for (let at = 0; at < lines.length; at += 3) walk = follow(walk, lines.slice(at, at + 3), sha256, noted);
  return finish(walk, head, noted);
}

interface Checked {
  anchor: ChainPoint;
  head: ChainPoint;
  noted: ChainPoint | null;
}

function pointOf(line: ChainLine | undefined): ChainPoint {
  return line === undefined ? GENESIS : { number: line.number, hash: line.hash };
}

const LINES = chain(8);
const at = (number: number): ChainPoint => pointOf(LINES[number - 1]);
const without = (...numbers: readonly number[]) => LINES.filter(({ number }) => !numbers.includes(number));
const changed = (number: number, change: Partial<ChainLine>) =>
  LINES.map((line) => (line.number === number ? { ...line, ...change } : line));
const OTHER = chain(8, "forged");
const fits = (lines: number, first: number | null, number = 8): Walk => ({
  kind: "fits",
  at: at(number),
  lines,
  first,
});
const broken = (number: number, fault: unknown) => ({ kind: "broken", number, fault });
const misfit = (number: number, after = number - 1) =>
  broken(
    number,
    `does not follow line ${after}: it was changed, or what came before it was changed, moved or removed`,
  );

test("a line's hash is what a shell computes: printf '%s\\n%s' HASH CONTENT | sha256sum", () => {
  expect(LINES[0]).toEqual({
    number: 1,
    content: '{"number":1,"detail":"done 1"}',
    hash: sha256(`${"0".repeat(64)}\n{"number":1,"detail":"done 1"}`),
  });
});

test("content begins with its number, and survives any way that text takes", () => {
  expect(contentOf({ detail: "\ud800\u0000", number: 1 })).toBe('{"number":1,"detail":"\\ud800\\u0000"}');
});

describe("a log", () => {
  test.each<[string, readonly ChainLine[], Partial<Checked>, unknown]>([
    ["that nobody has touched", LINES, {}, fits(8, 1)],
    ["without a line", [], { head: GENESIS }, { kind: "fits", at: GENESIS, lines: 0, first: null }],
    ["that has lost its beginning to age", LINES.slice(4), { anchor: at(4) }, fits(4, 5)],
    ["of which all is pruned", [], { anchor: at(8) }, fits(0, null)],
    ["with a changed line", changed(5, { content: '{"number":5,"detail":"no"}' }), {}, misfit(5)],
    ["with a changed hash", changed(5, { hash: at(4).hash }), {}, misfit(5)],
    ["with a changed number", changed(8, { number: 9 }), {}, misfit(9, 7)],
    ["without one in the middle", without(4), {}, misfit(5, 3)],
    ["without its first", without(1), {}, misfit(2, 0)],
    ["of which more is gone than was pruned", LINES.slice(5), { anchor: at(4) }, misfit(6, 4)],
    [
      "with two that have changed places",
      [...LINES.slice(0, 2), ...LINES.slice(2, 4).toReversed()],
      {},
      misfit(4, 2),
    ],
    ["with a line twice", [...LINES.slice(0, 3), ...LINES.slice(2)], {}, misfit(3, 3)],
    ["with its end cut off", without(7, 8), {}, broken(8, "is missing at the end, with all after line 6")],
    ["with nothing left", [], {}, broken(8, "is missing at the end, with all after line 0")],
    ["that goes on beyond its end", LINES, { head: at(7) }, broken(8, "lies beyond the end of the log")],
    ["with another anchor", LINES.slice(4), { anchor: { ...at(4), hash: at(3).hash } }, misfit(5)],
    [
      "that was rewritten, but for its head",
      OTHER,
      {},
      broken(8, "has another hash than the end of the log"),
    ],
  ])("%s", (_, lines, checked, expected) => {
    expect(verify(lines, checked)).toEqual(expected);
  });

  test.each<[string, readonly ChainLine[], Partial<Checked>, unknown]>([
    ["is in it", LINES, { noted: at(3) }, fits(8, 1)],
    ["is its head", LINES, { noted: at(8) }, fits(8, 1)],
    ["was pruned last", LINES.slice(4), { anchor: at(4), noted: at(4) }, fits(4, 5)],
    [
      "was pruned before others",
      LINES.slice(4),
      { anchor: at(4), noted: at(3) },
      broken(3, "is gone because of its age, with all up to 4: note a newer one"),
    ],
    [
      "was rewritten, with all that follows",
      OTHER,
      { head: pointOf(OTHER.at(-1)), noted: at(3) },
      broken(3, "has another hash than the one that was noted"),
    ],
    [
      "was pruned and rewritten",
      OTHER.slice(3),
      { anchor: pointOf(OTHER[2]), head: pointOf(OTHER.at(-1)), noted: at(3) },
      broken(3, "has another hash than the one that was noted"),
    ],
    [
      "was cut off, with the head",
      without(7, 8),
      { head: at(6), noted: at(7) },
      broken(7, "was noted, and the log ends before it, with line 6"),
    ],
    [
      "was skipped in writing it anew",
      [skipping(3)],
      { head: skipping(3), noted: at(2) },
      broken(3, "stands where line 2 was noted"),
    ],
  ])("of which a line that was noted %s", (_, lines, checked, expected) => {
    expect(verify(lines, checked)).toEqual(expected);
  });
});

function skipping(number: number): ChainLine {
  const content = contentOf({ number, detail: "skips" });
  return { number, content, hash: hashLine(GENESIS.hash, content, sha256) };
}

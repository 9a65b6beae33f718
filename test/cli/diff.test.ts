import { describe, expect, test } from "vitest";
import { compareLines, unifiedDiff, type DiffLine } from "../../cli/diff.ts";
import { oneOf, seeded, severalOf } from "../engine/random.ts";

describe("a unified difference", () => {
  test.each([
    ["equal texts", "a\nb\n", "a\nb\n", []],
    ["two empty texts", "", "", []],
    ["a new text", "", "a\nb\n", ["@@ -0,0 +1,2 @@", "+a", "+b"]],
    ["a text that went", "a\n", "", ["@@ -1,1 +0,0 @@", "-a"]],
    ["a changed line", "a\nb\nc\n", "a\nx\nc\n", ["@@ -1,3 +1,3 @@", " a", "-b", "+x", " c"]],
    ["a line more at the end", "a\n", "a\nb\n", ["@@ -1,1 +1,2 @@", " a", "+b"]],
    [
      "three lines of context",
      "1\n2\n3\n4\n5\n6\n7\n8\n9\n",
      "1\n2\n3\n4\nx\n6\n7\n8\n9\n",
      ["@@ -2,7 +2,7 @@", " 2", " 3", " 4", "-5", "+x", " 6", " 7", " 8"],
    ],
    [
      "two changes far apart",
      "a\n1\n2\n3\n4\n5\n6\n7\nb\n",
      "1\n2\n3\n4\n5\n6\n7\n",
      ["@@ -1,4 +1,3 @@", "-a", " 1", " 2", " 3", "@@ -6,4 +5,3 @@", " 5", " 6", " 7", "-b"],
    ],
    [
      "two changes with six lines between are one",
      "a\n1\n2\n3\n4\n5\n6\nb\n",
      "1\n2\n3\n4\n5\n6\n",
      ["@@ -1,8 +1,6 @@", "-a", " 1", " 2", " 3", " 4", " 5", " 6", "-b"],
    ],
  ])("of %s", (_, before, after, lines) => {
    expect(unifiedDiff(before, after)).toEqual(lines);
  });

  test("of texts too large to compare line by line is still right", () => {
    const [before, after] = ["a", "b"].map((letter) =>
      Array.from({ length: 2100 }, (_, n) => `${letter}${n}`),
    );
    const lines = compareLines(before ?? [], after ?? []);
    expect([side(lines, "+"), side(lines, "-")]).toEqual([before, after]);
  });
});

/** One of the two texts: the lines without those that only the other has. */
function side(lines: readonly DiffLine[], foreign: "+" | "-"): readonly string[] {
  return lines.filter(({ mark }) => mark !== foreign).map(({ text }) => text);
}

/** The length of the longest common subsequence, by its definition. */
function slowCommon(a: readonly string[], b: readonly string[]): number {
  const [x, ...restA] = a;
  const [y, ...restB] = b;
  if (x === undefined || y === undefined) return 0;
  if (x === y) return 1 + slowCommon(restA, restB);
  return Math.max(slowCommon(restA, b), slowCommon(a, restB));
}

test("random texts: both are there in full, and as much as can be is common", () => {
  const random = seeded(7);
  const text = (): readonly string[] => severalOf(random, 0, 7, () => oneOf(random, ["a", "b", "c"]));
  for (let round = 0; round < 500; round += 1) {
    const [before, after] = [text(), text()];
    const lines = compareLines(before, after);
    expect({
      before: side(lines, "+"),
      after: side(lines, "-"),
      common: lines.filter(({ mark }) => mark === " ").length,
    }).toEqual({ before, after, common: slowCommon(before, after) });
  }
});

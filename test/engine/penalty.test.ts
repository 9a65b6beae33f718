import { expect, test } from "vitest";
import { isOver, isRefused, penalize, weightOf, type Penalty } from "../../shared/engine/penalty.ts";
import type { TryOutcome } from "../../shared/engine/retry.ts";

test.each<[TryOutcome, boolean]>([
  [{ kind: "response", status: 429 }, true],
  [{ kind: "response", status: 503 }, true],
  [{ kind: "response", status: 500 }, false],
  [{ kind: "response", status: 200 }, false],
  [{ kind: "connect-failure" }, true],
  [{ kind: "reset" }, true],
  [{ kind: "timeout" }, true],
])("%o is refused: %s", (outcome, expected) => {
  expect(isRefused(outcome)).toBe(expected);
});

const T = 1_000_000;
const OLD: Penalty = { calls: 5, until: T };

interface Addition {
  readonly before?: Penalty;
  readonly others?: number;
  readonly asked?: number;
}

test.each<[string, Addition, Penalty]>([
  ["the first", {}, { calls: 1, until: T }],
  ["as long as other calls take", { others: 40 }, { calls: 41, until: T }],
  ["one more", { before: OLD }, { calls: 6, until: T }],
  ["for as long as asked", { asked: 7_000 }, { calls: 1, until: T + 7_000 }],
  ["asked for nothing", { asked: 0 }, { calls: 1, until: T }],
  ["asked for an hour", { asked: 3_600_000 }, { calls: 1, until: T + 30_000 }],
  [
    "asked for less than before",
    { before: { calls: 1, until: T + 9_000 }, asked: 1_000 },
    { calls: 2, until: T + 9_000 },
  ],
  [
    "a clock that steps back",
    { before: { calls: 1, until: T + 9_000_000 } },
    { calls: 2, until: T + 30_000 },
  ],
  [
    "no more than can be forgotten",
    { before: { calls: 999, until: T }, others: 900 },
    { calls: 1_000, until: T },
  ],
])("a penalty: %s", (_name, { before, others = 0, asked = null }, expected) => {
  expect(penalize(before, others, asked, T)).toEqual(expected);
});

test.each<[string, number, number]>([
  ["until then", -7_000, 5],
  ["at that moment", 0, 5],
  ["a second later", 1_000, 5 / Math.E],
  ["an hour idle", 3_600_000, 0],
])("it weighs: %s", (_name, afterMs, expected) => {
  expect(weightOf(OLD, T + afterMs)).toBeCloseTo(expected, 10);
});

test("it is over when it no longer turns a comparison", () => {
  expect([isOver(OLD, T + 6_000), isOver(OLD, T + 7_000), weightOf(undefined, T)]).toEqual([false, true, 0]);
});

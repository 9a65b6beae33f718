import { describe, expect, test } from "vitest";
import { busiest, quantile, round, slope, statuses, successRatio } from "./figures.ts";
import type { Call } from "./load.ts";
import { judge } from "./scenario.ts";

function calls(...all: readonly number[]): Call[] {
  return all.map((status) => ({ at: 0, ms: 1, lateMs: 0, target: 0, status, servedBy: "", headers: {} }));
}

test.each([
  ["answers below 500 are no errors", [200, 404, 429], 1],
  ["a missing answer is one", [200, 0], 0.5],
  ["a 5xx is one", [200, 500, 503, 599], 0.25],
  ["of nothing there is no share", [], Number.NaN],
])("success: %s", (_, given, expected) => {
  expect(successRatio(calls(...given))).toBe(expected);
});

test("counts statuses", () => {
  expect(statuses(calls(200, 503, 200, 0))).toEqual({ 200: 2, 503: 1, 0: 1 });
});

test.each([
  [[3, 1, 2], 0.5, 2],
  [[3, 1, 2], 0, 1],
  [[3, 1, 2], 1, 3],
  [Array.from({ length: 100 }, (_, n) => n), 0.99, 99],
  [[], 0.5, Number.NaN],
])("quantiles: of %j, %d is %d", (values, q, expected) => {
  expect(quantile(values, q)).toBe(expected);
});

test.each([
  ["nothing", [], 10, 0],
  ["one", [5], 10, 1],
  ["apart by the window itself", [0, 10, 20], 10, 1],
  ["closer than the window", [0, 9, 20, 25, 29], 10, 3],
])("the busiest window: %s", (_, times, ms, expected) => {
  expect(busiest(times, ms)).toBe(expected);
});

test("a line has its own slope", () => {
  expect(slope([0, 1, 2, 5].map((x) => ({ x, y: 3 - 2 * x })))).toBeCloseTo(-2);
  expect(round(1.23456, 2)).toBe(1.23);
});

describe("judge", () => {
  test.each([
    ["the limit itself holds", { value: 1, atMost: 1 }, []],
    ["above it does not", { value: 2, atMost: 1 }, ["x: 2, where at most 1 is wanted"]],
    ["below a floor neither", { value: 0.9, atLeast: 0.99 }, ["x: 0.9, where at least 0.99 is wanted"]],
    ["no figure, no success", { value: Number.NaN, atMost: 1 }, ["x: NaN, where at most 1 is wanted"]],
  ])("%s", (_, target, misses) => {
    expect(judge({ a: 1 }, [{ figure: "x", ...target }])).toEqual({ figures: { a: 1 }, misses });
  });
});

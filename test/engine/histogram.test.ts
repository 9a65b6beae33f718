import { expect, test } from "vitest";
import * as histogram from "../../shared/engine/histogram.ts";
import { seeded } from "./random.ts";

const BOUNDS = [1, 10, 100];

function bucketsOf(values: readonly number[], bounds: readonly number[]): number[] {
  const buckets = histogram.empty(bounds);
  for (const value of values) histogram.add(buckets, bounds, value);
  return buckets;
}

test.each([
  ["a bound belongs to the bucket that it closes", [0, 1, 1.001, 10, 100], [2, 2, 1, 0]],
  ["above every bound", [100.5, 1e9], [0, 0, 0, 2]],
  ["a clock that stepped back", [-5], [1, 0, 0, 0]],
  ["nothing", [], [0, 0, 0, 0]],
])("add: %s", (_name, values, expected) => {
  expect(bucketsOf(values, BOUNDS)).toEqual(expected);
});

test.each([
  ["no values", [0, 0, 0, 0], 0.5, 0],
  ["the middle of the first bucket", [4, 0, 0, 0], 0.5, 0.5],
  ["the end of a bucket", [1, 1, 0, 0], 1, 10],
  ["a border between buckets", [2, 2, 0, 0], 0.5, 1],
  ["inside the second bucket", [0, 4, 0, 0], 0.25, 3.25],
  ["empty buckets are skipped", [1, 0, 1, 0], 0.75, 55],
  ["the least value of a later bucket", [0, 0, 2, 0], 0, 10],
  ["the open bucket answers the highest bound", [0, 0, 0, 3], 0.5, 100],
  ["mostly in the open bucket", [1, 0, 0, 9], 0.99, 100],
])("quantile: %s", (_name, buckets, q, expected) => {
  expect(histogram.quantile(buckets, BOUNDS, q)).toBeCloseTo(expected, 10);
});

test("merged histograms are the histogram of all values", () => {
  const random = seeded(7);
  const draw = (): number[] => Array.from({ length: 500 }, () => random() * 200);
  const [some, others] = [draw(), draw()];
  const merged = histogram.merge(bucketsOf(some, BOUNDS), bucketsOf(others, BOUNDS));
  expect(merged).toEqual(bucketsOf([...some, ...others], BOUNDS));
});

test("a quantile lies in the bucket of the true one", () => {
  const random = seeded(8);
  const bounds = [1, 2.5, 5, 10, 25, 50, 100];
  for (let round = 0; round < 300; round++) {
    const values = Array.from({ length: 1 + Math.floor(random() * 40) }, () => random() * 99);
    const buckets = bucketsOf(values, bounds);
    const q = random();
    const sorted = values.toSorted((left, right) => left - right);
    const truth = sorted[Math.max(0, Math.ceil(q * values.length) - 1)] ?? Number.NaN;
    const upperAt = bounds.findIndex((bound) => truth <= bound);
    const estimate = histogram.quantile(buckets, bounds, q);
    expect(estimate).toBeGreaterThanOrEqual(bounds[upperAt - 1] ?? 0);
    expect(estimate).toBeLessThanOrEqual(bounds[upperAt] ?? Infinity);
  }
});

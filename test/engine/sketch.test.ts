import { expect, test } from "vitest";
import { add, createSketch, quantile, type Sketch } from "../../shared/engine/sketch.ts";
import { seeded } from "./random.ts";

function sketchOf(values: readonly number[]): Sketch {
  const sketch = createSketch();
  for (const value of values) add(sketch, value);
  return sketch;
}

test("nothing counted has no quantile", () => {
  expect(quantile(createSketch(), 0.5)).toBe(null);
});

test.each([
  ["a time below the resolution", 0.2, 1],
  ["a clock that stepped back", -50, 1],
  ["longer than an hour", 1e9, 3_600_000],
  ["not a fraction", 250, 250],
])("%s", (_name, value, expected) => {
  const found = quantile(sketchOf([value]), 0.5) ?? 0;
  expect(Math.abs(found / expected - 1)).toBeLessThanOrEqual(0.0501);
});

test("quantiles are within 5 % of those of all values in order", () => {
  const random = seeded(1);
  for (let round = 0; round < 200; round++) {
    const values = Array.from({ length: 1 + Math.floor(random() * 2000) }, () => Math.exp(random() * 11));
    const sketch = sketchOf(values);
    const inOrder = values.toSorted((a, b) => a - b);
    for (const q of [0, 0.5, 0.9, 0.95, 0.99, 1]) {
      const exact = inOrder[Math.floor(q * (values.length - 1))] ?? 0;
      expect(Math.abs((quantile(sketch, q) ?? 0) / exact - 1)).toBeLessThanOrEqual(0.0501);
    }
  }
});

test("what is long past counts less and less, and memory stays bounded", () => {
  const sketch = sketchOf(Array.from({ length: 100_000 }, () => 1000));
  expect(sketch.total).toBeLessThanOrEqual(4096);
  for (let call = 0; call < 5000; call++) add(sketch, 10);
  expect(quantile(sketch, 0.5)).toBeLessThan(11);
  for (let call = 0; call < 60_000; call++) add(sketch, 10);
  expect(quantile(sketch, 1)).toBeLessThan(11);
  add(sketch, Infinity);
  expect(sketch.counts.length).toBeLessThan(200);
});

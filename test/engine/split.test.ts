import { expect, test } from "vitest";
import type { Backend } from "../../shared/engine/route.ts";
import * as split from "../../shared/engine/split.ts";
import { seeded, severalOf } from "./random.ts";

function backendsOf(weights: readonly number[]): Backend[] {
  return weights.map((weight, index) => ({ service: `shop/v${index}`, port: 80, weight, filters: {} }));
}

const LAST = 1 - 2 ** -53;

test.each([
  [[], 0.5, null],
  [[0], 0, null],
  [[0, 0], LAST, null],
  [[1], 0, "shop/v0"],
  [[1], LAST, "shop/v0"],
  [[90, 10], 0, "shop/v0"],
  [[90, 10], 0.9 - 2 ** -53, "shop/v0"],
  [[90, 10], 0.9, "shop/v1"],
  [[90, 10], LAST, "shop/v1"],
  [[1, 1], 0.5, "shop/v1"],
  [[0, 1], 0, "shop/v1"],
  [[1, 0], LAST, "shop/v0"],
  [[1, 0, 1], 0.5, "shop/v2"],
  [[1, 0], 1, "shop/v0"],
  [[1_000_000, 1_000_000, 1], LAST, "shop/v2"],
])("weights %j, random %d: %s", (weights, random, service) => {
  expect(split.pick(backendsOf(weights), random)?.service ?? null).toBe(service);
});

test("each backend gets its share, and a weight of 0 nothing", () => {
  const random = seeded(5);
  for (let run = 0; run < 50; run++) {
    const weights = [1, ...severalOf(random, 1, 6, () => Math.floor(random() * 20))];
    const backends = backendsOf(weights);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const counts = new Map<string, number>();
    // Every hundredth part of every unit of weight once: the shares must come out exactly.
    for (let step = 0; step < total * 100; step++) {
      const service = split.pick(backends, (step + 0.5) / (total * 100))?.service ?? "none";
      counts.set(service, (counts.get(service) ?? 0) + 1);
    }
    const expected = backends.filter((backend) => backend.weight > 0);
    expect([...counts]).toEqual(expected.map((backend) => [backend.service, backend.weight * 100]));
  }
});

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

/** n, the share and its standard deviation: how far a count of n draws may be off. */
const within3Sigma = (count: number, n: number, share: number) =>
  Math.abs(count - n * share) <= 3 * Math.sqrt(n * share * (1 - share));

test.each([1, 5, 10, 50])("of 20,000 requests a canary of %d %% gets its share", (percent) => {
  const random = seeded(percent);
  const backends = backendsOf([100 - percent, percent]);
  const picked = Array.from({ length: 20_000 }, () => split.pick(backends, random()));
  const count = picked.filter((backend) => backend === backends[1]).length;
  expect(within3Sigma(count, 20_000, percent / 100)).toBe(true);
});

const KEYS = Array.from({ length: 10_000 }, (_, n) => `user-${n}`);

/** Each key's version. */
function assign(weights: readonly number[]): string[] {
  const backends = backendsOf(weights);
  return KEYS.map((key) => split.pickSticky(backends, key)?.service ?? "none");
}

test.each([[[90, 5, 5]], [[75, 20, 5]], [[1, 1, 1]], [[99, 1]], [[50, 30, 15, 4, 1]], [[0, 3, 7]]])(
  "10,000 keys are shared out by the weights %j",
  (weights) => {
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const assigned = assign(weights);
    const counts = weights.map(
      (_, index) => assigned.filter((service) => service === `shop/v${index}`).length,
    );
    const isExact = counts.map((count, index) =>
      within3Sigma(count, KEYS.length, (weights[index] ?? 0) / total),
    );
    expect({ counts, isExact }).toEqual({ counts, isExact: weights.map(() => true) });
  },
);

test.each([
  ["one weight is raised", [90, 5, 5], [90, 20, 5]],
  ["it is raised at another's cost", [90, 5, 5], [75, 20, 5]],
  ["weights are shares of another sum", [90, 5, 5], [150, 40, 10]],
  ["the second of two goes to half", [95, 5], [50, 50]],
])("when %s, nobody leaves the version that grows", (_name, before, after) => {
  const [first, second] = [assign(before), assign(after)];
  const left = KEYS.filter((_, n) => first[n] === "shop/v1" && second[n] !== "shop/v1");
  expect(left).toEqual([]);
  expect(second.filter((service) => service === "shop/v1").length).toBeGreaterThan(1_500);
});

test("when one weight alone is raised, keys move to it and nowhere else", () => {
  const [first, second] = [assign([90, 5, 5]), assign([90, 20, 5])];
  const moved = second.filter((service, n) => service !== first[n]);
  expect(new Set(moved)).toEqual(new Set(["shop/v1"]));
});

test("a version that is taken out gives its keys to the others, which keep theirs", () => {
  const [first, second] = [assign([60, 30, 10]), assign([60, 0, 10])];
  const moved = first.filter((service, n) => service !== second[n]);
  expect(new Set(moved)).toEqual(new Set(["shop/v1"]));
});

test("keys stay where they are when backends change their order", () => {
  const backends = backendsOf([60, 30, 10]);
  const reversed = backends.toReversed();
  expect(KEYS.map((key) => split.pickSticky(reversed, key))).toEqual(
    KEYS.map((key) => split.pickSticky(backends, key)),
  );
});

test.each([
  ["port", { port: 81 }],
  ["subset", { subset: "v2" }],
  ["nothing but filters", { filters: { request: { set: [], add: [], remove: ["x"] } } }],
])("backends that differ in their %s share keys as others do", (_name, change) => {
  const [plain] = backendsOf([1]);
  const backends = [plain, { ...plain, ...change }].filter((one): one is Backend => one !== undefined);
  const count = KEYS.filter((key) => split.pickSticky(backends, key) === backends[1]).length;
  expect(within3Sigma(count, KEYS.length, 0.5)).toBe(true);
});

test.each([[[]], [[0]], [[0, 0]]])("with weights %j there is nothing to pick for a key", (weights) => {
  expect(split.pickSticky(backendsOf(weights), "user")).toBeNull();
});

import { expect, test } from "vitest";
import * as balance from "../../shared/engine/balance.ts";
import type { Endpoint } from "../../shared/engine/endpoint.ts";
import { endpoint } from "./endpoints.ts";
import { oneOf, seeded } from "./random.ts";

const ROUND_ROBIN: balance.LoadBalancing = { kind: "round-robin" };
const LEAST_REQUEST: balance.LoadBalancing = { kind: "least-request", choices: 2 };

const loadAt = (cursor: number, inFlight: readonly [string, number][] = []): balance.Load => ({
  ...balance.createLoad(() => 0),
  cursor,
  inFlight: new Map(inFlight),
});

const by = (random: () => number): balance.Choice => ({ random, now: 0, hash: null });

const weighted = (weights: readonly number[]): Endpoint[] =>
  weights.map((weight, index) => endpoint(`e${index}`, { weight }));

/** How often each endpoint was picked, in the order of `endpoints`. */
function tally(endpoints: readonly Endpoint[], picks: readonly (Endpoint | null)[]): number[] {
  return endpoints.map(({ id }) => picks.filter((picked) => picked?.id === id).length);
}

function pickTimes(count: number, pick: () => Endpoint | null): (Endpoint | null)[] {
  return Array.from({ length: count }, pick);
}

const RANDOM: balance.LoadBalancing = { kind: "random" };
const PEAK_EWMA: balance.LoadBalancing = { kind: "peak-ewma", decayMs: 10_000, defaultRttMs: 30 };
const RING = { kind: "ring", key: [], minSize: 64, maxSize: 1024 } as const;
const MAGLEV = { kind: "maglev", key: [], tableSize: 251 } as const;

test.each<balance.LoadBalancing>([ROUND_ROBIN, RANDOM, LEAST_REQUEST, PEAK_EWMA, RING, MAGLEV])(
  "$kind: nothing to pick from, and a single one",
  (policy) => {
    const random = seeded(1);
    const [only] = weighted([3]);
    expect(balance.pick([], policy, loadAt(0), by(random))).toBe(null);
    expect(balance.pick(weighted([3]), policy, loadAt(0), by(random))).toEqual(only);
  },
);

test("round robin of equal weights goes around", () => {
  const endpoints = weighted([2, 2, 2]);
  const load = loadAt(0);
  const picks = pickTimes(7, () => balance.pick(endpoints, ROUND_ROBIN, load, by(seeded(1))));
  expect(picks.map((picked) => picked?.id)).toEqual(["e0", "e1", "e2", "e0", "e1", "e2", "e0"]);
});

test("round robin by weights is spread out", () => {
  const endpoints = weighted([5, 1, 1]);
  const load = loadAt(0);
  const picks = pickTimes(10, () => balance.pick(endpoints, ROUND_ROBIN, load, by(seeded(1))));
  expect(picks.map((picked) => picked?.id).join(" ")).toBe("e0 e0 e0 e1 e0 e0 e0 e0 e2 e0");
});

test("round robin by weights is never more than three calls off, from any start and for any time", () => {
  const random = seeded(2);
  for (let round = 0; round < 100; round++) {
    const weights = Array.from({ length: 2 + Math.floor(random() * 6) }, () => 1 + Math.floor(random() * 50));
    const endpoints = weighted(weights);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const load = loadAt(Math.floor(random() * 1e6));
    const counts = weights.map(() => 0);
    for (let length = 1; length <= 1000; length++) {
      const picked = balance.pick(endpoints, ROUND_ROBIN, load, by(random));
      const at = endpoints.findIndex(({ id }) => id === picked?.id);
      counts[at] = (counts[at] ?? 0) + 1;
      const errors = counts.map((count, index) => count - (length * (weights[index] ?? 0)) / total);
      expect(Math.max(...errors.map(Math.abs))).toBeLessThan(3);
    }
  }
});

test.each([
  ["idle hosts that start anywhere do not favor the first", [1, 1, 1, 1]],
  ["nor with unequal weights", [1, 2, 3, 4]],
])("%s", (_name, weights) => {
  const random = seeded(3);
  const endpoints = weighted(weights);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const picks = pickTimes(10_000, () =>
    balance.pick(endpoints, ROUND_ROBIN, balance.createLoad(random), by(random)),
  );
  for (const [index, count] of tally(endpoints, picks).entries()) {
    expect(Math.abs(count / 10_000 - (weights[index] ?? 0) / total)).toBeLessThan(0.02);
  }
});

test.each([[[1, 1, 1, 1]], [[6, 3, 1]], [[1, 100]]])("random shares by weights %o within 2 %%", (weights) => {
  const random = seeded(7);
  const endpoints = weighted(weights);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const picks = pickTimes(10_000, () => balance.pick(endpoints, RANDOM, loadAt(0), by(random)));
  for (const [index, count] of tally(endpoints, picks).entries()) {
    expect(Math.abs(count / 10_000 - (weights[index] ?? 0) / total)).toBeLessThan(0.02);
  }
});

test.each<[string, number[], [string, number][], expected: string]>([
  ["the idle one of two", [1, 1], [["e0", 1]], "e1"],
  ["of two both are compared, so the busy one never", [1, 1], [["e1", 9]], "e0"],
  [
    "less in flight for its weight",
    [9, 1],
    [
      ["e0", 8],
      ["e1", 1],
    ],
    "e0",
  ],
  [
    "more in flight for its weight",
    [9, 1],
    [
      ["e0", 10],
      ["e1", 1],
    ],
    "e1",
  ],
])("least request: %s", (_name, weights, inFlight, expected) => {
  const random = seeded(4);
  const load = loadAt(0, inFlight);
  const picks = pickTimes(200, () => balance.pick(weighted(weights), LEAST_REQUEST, load, by(random)));
  expect(new Set(picks.map((picked) => picked?.id))).toEqual(new Set([expected]));
});

test.each([
  [0, "e0"],
  [0.49, "e0"],
  [0.5, "e1"],
  [1 - 2 ** -53, "e1"],
])("a draw of %d falls to %s of two: a border belongs to the one that begins there", (drawn, expected) => {
  const picked = balance.pick(
    weighted([1, 1]),
    { kind: "least-request", choices: 1 },
    loadAt(0),
    by(() => drawn),
  );
  expect(picked?.id).toBe(expected);
});

test.each([0, 4, 9])("more choices find the idle one, number %d of ten, more often", (idle) => {
  const endpoints = weighted(Array.from({ length: 10 }, () => 1));
  const load = loadAt(
    0,
    endpoints.toSpliced(idle, 1).map(({ id }) => [id, 1]),
  );
  const shareOf = (choices: number): number => {
    const random = seeded(5);
    const picks = pickTimes(10_000, () =>
      balance.pick(endpoints, { kind: "least-request", choices }, load, by(random)),
    );
    return (tally(endpoints, picks)[idle] ?? 0) / 10_000;
  };
  expect(shareOf(1)).toBeCloseTo(0.1, 1);
  expect(shareOf(2)).toBeCloseTo(0.2, 1);
  expect(shareOf(5)).toBeGreaterThan(0.35);
});

/** Calls at a steady pace, each in flight for as long as its endpoint takes; how often each was picked. */
function simulate(endpoints: readonly Endpoint[], durations: readonly number[], calls: number): number[] {
  const random = seeded(6);
  const load = balance.createLoad(random);
  const counts = endpoints.map(() => 0);
  const ends = new Map<number, string[]>();
  for (let now = 0; now < calls; now++) {
    for (const id of ends.get(now) ?? []) balance.end(load, id);
    ends.delete(now);
    const picked = balance.pick(endpoints, LEAST_REQUEST, load, by(random));
    const index = endpoints.findIndex(({ id }) => id === picked?.id);
    const endsAt = now + (durations[index] ?? 0);
    balance.begin(load, picked?.id ?? "");
    ends.set(endsAt, [...(ends.get(endsAt) ?? []), picked?.id ?? ""]);
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts;
}

test.each([
  ["idle", [1, 1, 1], [1, 1, 1]],
  ["idle, by weight", [6, 3, 1], [1, 1, 1]],
  ["busy", [1, 1, 1, 1], [40, 40, 40, 40]],
  ["busy, by weight", [6, 3, 1], [100, 100, 100]],
])("least request keeps shares within 2 %% over 10,000 calls: %s", (_name, weights, durations) => {
  const endpoints = weighted(weights);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, count] of simulate(endpoints, durations, 10_000).entries()) {
    expect(Math.abs(count / 10_000 - (weights[index] ?? 0) / total)).toBeLessThan(0.02);
  }
});

test("a slow endpoint gets far less", () => {
  const [slow = 0, ...others] = simulate(weighted([1, 1, 1, 1]), [200, 10, 10, 10], 10_000);
  expect(slow).toBeLessThan(1000);
  expect(Math.min(...others)).toBeGreaterThan(2800);
});

test("a load remembers calls in flight only", () => {
  const random = seeded(9);
  const load = balance.createLoad(random);
  const expected: string[] = [];
  for (let step = 0; step < 2000; step++) {
    const id = oneOf(random, ["a", "b", "c"]);
    const isInFlight = expected.includes(id);
    if (random() < 0.5) {
      balance.begin(load, id);
      expected.push(id);
    } else if (isInFlight) {
      balance.end(load, id);
      expected.splice(expected.indexOf(id), 1);
    }
  }
  for (const id of expected.splice(0)) balance.end(load, id);
  expect(load.inFlight).toEqual(new Map());
  balance.end(load, "never begun");
  expect(load.inFlight).toEqual(new Map());
});

test.each([
  ["short calls", 50, 20],
  ["long calls", 20, 2_000],
  ["many calls", 500, 50],
])("least request: what refuses at once gets less than its share of %s", (_name, perSecond, takesMs) => {
  const random = seeded(11);
  const endpoints = weighted([1, 1, 1]);
  const load = loadAt(0);
  const ends: { readonly id: string; readonly at: number }[] = [];
  const got = new Map(endpoints.map(({ id }) => [id, 0]));
  const seconds = 20;
  for (let call = 0; call < perSecond * seconds; call++) {
    const now = (call * 1_000) / perSecond;
    for (const { id } of ends.splice(0, ends.findLastIndex(({ at }) => at <= now) + 1)) balance.end(load, id);
    const { id = "" } = balance.pick(endpoints, LEAST_REQUEST, load, { random, now, hash: null }) ?? {};
    got.set(id, (got.get(id) ?? 0) + 1);
    if (id === "e0") balance.refused(load, id, null, now);
    else {
      balance.begin(load, id);
      ends.push({ id, at: now + takesMs });
    }
  }
  // A third would be fair, and two thirds are what an endpoint gets that is always idle.
  expect(got.get("e0") ?? 0).toBeLessThan((perSecond * seconds) / 6);
});

test("least request: an endpoint that asked for time is left alone for as long, and comes back", () => {
  const random = seeded(12);
  const endpoints = weighted([1, 1, 1]);
  const load = loadAt(0);
  balance.refused(load, "e0", 5_000, 0);
  const sharesAt = (now: number): number[] =>
    tally(
      endpoints,
      pickTimes(3_000, () => balance.pick(endpoints, LEAST_REQUEST, load, { random, now, hash: null })),
    );

  expect([sharesAt(0)[0], sharesAt(4_999)[0]]).toEqual([0, 0]);
  expect(Math.abs((sharesAt(10_000)[0] ?? 0) - 1_000)).toBeLessThan(100);
  expect(load.penalties.size).toBe(0);
});

test("what is known of endpoints that are gone is forgotten", () => {
  const load = loadAt(0);
  balance.refused(load, "e0", null, 0);
  balance.refused(load, "gone", null, 0);
  balance.retain(load, weighted([1]));
  expect([...load.penalties.keys()]).toEqual(["e0"]);
});

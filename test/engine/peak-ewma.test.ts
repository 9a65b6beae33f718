import { expect, test } from "vitest";
import * as balance from "../../shared/engine/balance.ts";
import { estimate, update, type PeakEwma, type Rtt, type Sample } from "../../shared/engine/peak-ewma.ts";
import type { Endpoint } from "../../shared/engine/endpoint.ts";
import { endpoint } from "./endpoints.ts";
import { seeded } from "./random.ts";

const T = 1_700_000_000_000;
const POLICY: PeakEwma = { decayMs: 10_000, defaultRttMs: 30 };
const BALANCING: balance.LoadBalancing = { kind: "peak-ewma", ...POLICY };

const sample = (latencyMs: number, changes: Partial<Sample> = {}): Sample => ({
  id: "a",
  latencyMs,
  outcome: { kind: "response", status: 200 },
  retryAfterMs: null,
  ...changes,
});

const after = (ms: number): number => Math.exp(-ms / 10_000);

test.each<[string, Rtt | undefined, Sample, expected: Rtt]>([
  ["the first sample is believed, though it is below the default", undefined, sample(5), { ms: 5, at: T }],
  ["worse is believed at once", { ms: 10, at: T }, sample(500), { ms: 500, at: T + 1 }],
  ["better at the same instant changes nothing", { ms: 500, at: T }, sample(10), { ms: 500, at: T }],
  [
    "better after a while counts by the time",
    { ms: 500, at: T },
    sample(10),
    { ms: 500 * after(10_000) + 10 * (1 - after(10_000)), at: T + 10_000 },
  ],
  ["an hour idle: only the sample counts", { ms: 500, at: T }, sample(10), { ms: 10, at: T + 3_600_000 }],
  ["a clock that steps back", { ms: 500, at: T }, sample(10), { ms: 500, at: T - 5000 }],
  ["a latency below 0, of such a clock", undefined, sample(-7), { ms: 0, at: T }],
  [
    "a 429 counts as 5 s",
    { ms: 10, at: T },
    sample(1, { outcome: { kind: "response", status: 429 } }),
    { ms: 5000, at: T },
  ],
  [
    "a 503 as well",
    { ms: 10, at: T },
    sample(1, { outcome: { kind: "response", status: 503 } }),
    { ms: 5000, at: T },
  ],
  [
    "a 500 is an answer",
    undefined,
    sample(1, { outcome: { kind: "response", status: 500 } }),
    { ms: 1, at: T },
  ],
  [
    "no answer counts as 5 s",
    undefined,
    sample(1, { outcome: { kind: "connect-failure" } }),
    { ms: 5000, at: T },
  ],
  [
    "a time-out that took longer as what it took",
    undefined,
    sample(9000, { outcome: { kind: "timeout" } }),
    { ms: 9000, at: T },
  ],
  [
    "a 429 that asks for no time",
    undefined,
    sample(1, { outcome: { kind: "response", status: 429 }, retryAfterMs: 0 }),
    { ms: 5000, at: T },
  ],
  [
    "a 429 may ask for more",
    undefined,
    sample(1, { outcome: { kind: "response", status: 429 }, retryAfterMs: 60_000 }),
    { ms: 60_000, at: T },
  ],
  [
    "but not for more than 300 s",
    undefined,
    sample(1, { outcome: { kind: "response", status: 429 }, retryAfterMs: 3_600_000 }),
    { ms: 300_000, at: T },
  ],
])("%s", (_name, rtt, seen, expected) => {
  const updated = update(rtt, POLICY, seen, expected.at);
  expect(updated).toEqual({ ms: expect.closeTo(expected.ms, 6) as number, at: expected.at });
});

test.each<[string, Rtt | undefined, elapsedMs: number, ms: number]>([
  ["never called", undefined, 0, 30],
  ["just now", { ms: 100, at: T }, 0, 100],
  ["after the decay time", { ms: 100, at: T }, 10_000, 100 / Math.E],
  ["an hour idle", { ms: 100, at: T }, 3_600_000, 0],
  ["a clock that steps back", { ms: 100, at: T }, -10_000, 100],
])("estimate: %s", (_name, rtt, elapsedMs, ms) => {
  expect(estimate(rtt, POLICY, T + elapsedMs)).toBeCloseTo(ms, 6);
});

interface Run {
  readonly endpoints: readonly Endpoint[];
  /** What a call at each endpoint takes, in the order of `endpoints`. */
  latencyMs(index: number, random: () => number): number;
  status?(index: number): number;
}

/** 10,000 calls, one a millisecond, each in flight for as long as it takes; the share of each endpoint. */
function simulate({ endpoints, latencyMs, status = () => 200 }: Run): number[] {
  const random = seeded(1);
  const load = balance.createLoad(random);
  const counts = endpoints.map(() => 0);
  const ends = new Map<number, Sample[]>();
  for (let now = 0; now < 10_000; now++) {
    for (const ended of ends.get(now) ?? []) {
      balance.end(load, ended.id);
      balance.record(load, BALANCING, ended, now);
    }
    ends.delete(now);
    const picked = balance.pick(endpoints, BALANCING, load, { random, now, hash: null });
    const index = endpoints.findIndex((one) => one === picked);
    const took = Math.max(1, Math.round(latencyMs(index, random)));
    balance.begin(load, picked?.id ?? "");
    const seen = sample(took, { id: picked?.id ?? "", outcome: { kind: "response", status: status(index) } });
    ends.set(now + took, [...(ends.get(now + took) ?? []), seen]);
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts.map((count) => count / 10_000);
}

const endpoints = (...weights: number[]): Endpoint[] =>
  weights.map((weight, index) => endpoint(`e${index}`, { weight }));

/** 10 ms, give or take 5. */
const usual = (random: () => number): number => 5 + 10 * random();

test("a slow endpoint gets less than a tenth of its share, alone or among many", () => {
  for (const count of [2, 4, 10]) {
    const [slow = 1] = simulate({
      endpoints: endpoints(...Array.from({ length: count }, () => 1)),
      latencyMs: (index, random) => (index === 0 ? 300 : usual(random)),
    });
    expect(slow).toBeLessThan(0.1 / count);
  }
});

test.each([[[1, 1, 1, 1]], [[3, 1]], [[4, 3, 2, 1]]])("endpoints alike share by weights %o", (weights) => {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const shares = simulate({ endpoints: endpoints(...weights), latencyMs: (_index, random) => usual(random) });
  for (const [index, weight] of weights.entries()) {
    expect(Math.abs((shares[index] ?? 0) - weight / total)).toBeLessThan(0.05);
  }
});

test.each([429, 503])("fast answers with %d attract no calls", (status) => {
  const [failing = 1] = simulate({
    endpoints: endpoints(1, 1, 1, 1),
    latencyMs: (index, random) => (index === 0 ? 1 : usual(random)),
    status: (index) => (index === 0 ? status : 200),
  });
  expect(failing).toBeLessThan(0.01);
});

test("keeps nothing of endpoints that are gone, and nothing for balancers that do not ask", () => {
  const load = balance.createLoad(() => 0);
  balance.record(load, BALANCING, sample(10), T);
  balance.record(load, BALANCING, sample(20, { id: "b" }), T);
  balance.record(load, { kind: "random" }, sample(20, { id: "c" }), T);
  balance.record(load, { kind: "random" }, sample(20, { id: "c", outcome: { kind: "reset" } }), T);
  balance.retain(load, [endpoint("b")]);
  expect([...load.rtts]).toEqual([["b", { ms: 20, at: T }]]);
  // What no response told says nothing of how long one takes.
  expect(load.latencies.total).toBe(3);
});

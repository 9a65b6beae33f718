import { expect, test } from "vitest";
import * as balance from "../../shared/engine/balance.ts";
import { shareAt, warm, type SlowStart } from "../../shared/engine/slow-start.ts";
import { endpoint } from "./endpoints.ts";
import { seeded } from "./random.ts";

const T = 1_700_000_000_000;
const LINEAR: SlowStart = { windowMs: 10_000, minShare: 0.1, aggression: 1 };

test.each([
  ["at its birth", LINEAR, 0, 0.1],
  ["below the least share", LINEAR, 900, 0.1],
  ["the least share itself", LINEAR, 1000, 0.1],
  ["half of the window", LINEAR, 5000, 0.5],
  ["the end of the window", LINEAR, 9999, 0.9999],
  ["the limit itself", LINEAR, 10_000, 1],
  ["an hour later", LINEAR, 3_600_000, 1],
  ["a clock that is behind the registry's", LINEAR, -5000, 0.1],
  ["aggression 2 rises fast: the square root", { ...LINEAR, aggression: 2 }, 2500, 0.5],
  ["aggression 0.5 rises late: the square", { ...LINEAR, aggression: 0.5 }, 5000, 0.25],
])("the share of an endpoint: %s", (_name, policy, ageMs, share) => {
  expect(shareAt(policy, ageMs)).toBeCloseTo(share, 10);
});

test("gives new endpoints less weight, in proportion to their own", () => {
  const old = endpoint("old", { weight: 2, since: T - 10_000 });
  const ageless = endpoint("ageless", { weight: 3 });
  const young = endpoint("young", { weight: 4, since: T - 5000 });
  expect(warm([old, ageless, young], LINEAR, T)).toEqual([old, ageless, { ...young, weight: 2 }]);
});

test("the given list itself comes back when none is new", () => {
  const endpoints = [endpoint("a", { since: T - 10_000 }), endpoint("b")];
  expect(warm(endpoints, LINEAR, T)).toBe(endpoints);
});

test.each<balance.LoadBalancing>([
  { kind: "round-robin", slowStart: LINEAR },
  { kind: "random", slowStart: LINEAR },
  { kind: "least-request", choices: 2, slowStart: LINEAR },
  { kind: "peak-ewma", decayMs: 10_000, defaultRttMs: 30, slowStart: LINEAR },
])("$kind: a new endpoint's calls follow the ramp", (policy) => {
  const random = seeded(1);
  const endpoints = [
    endpoint("a", { since: T - 60_000 }),
    endpoint("b", { since: T - 60_000 }),
    endpoint("new", { since: T }),
  ];
  const shareAfter = (ageMs: number): number => {
    const load = balance.createLoad(random);
    const choice = { random, now: T + ageMs, hash: null };
    const picks = Array.from({ length: 10_000 }, () => balance.pick(endpoints, policy, load, choice));
    // What comes back is the endpoint itself, not one with less weight.
    expect(picks.every((picked) => picked !== null && endpoints.includes(picked))).toBe(true);
    return picks.filter((picked) => picked?.id === "new").length / 10_000;
  };
  const shares = [0, 2500, 5000, 10_000].map(shareAfter);
  const expected = [0.1, 0.25, 0.5, 1].map((weight) => weight / (2 + weight));
  for (const [at, share] of shares.entries())
    expect(Math.abs(share - (expected[at] ?? 0))).toBeLessThan(0.02);
});

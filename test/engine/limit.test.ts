import { describe, expect, test } from "vitest";
import * as limit from "../../shared/engine/limit.ts";
import { oneOf, seeded } from "./random.ts";

const T = 1_700_000_000_000;
const HOUR = 3_600_000;

/** Five a second, and three at once: one comes back every 200 ms. */
const RATE: limit.Rate = { requests: 5, perMs: 1000, burst: 3 };

const admitted = (tat: number, remaining: number): limit.Taking => ({
  isAdmitted: true,
  tat: T + tat,
  remaining,
  retryAfterMs: 0,
  resetMs: tat,
});

test.each<[string, tat: number | undefined, [cost: number, after: number], limit.Taking]>([
  ["first use", undefined, [1, 0], admitted(200, 2)],
  ["first use of the whole burst", undefined, [3, 0], admitted(600, 0)],
  ["the limit itself", T + 400, [1, 0], admitted(600, 0)],
  [
    "one above the limit",
    T + 600,
    [1, 0],
    { isAdmitted: false, tat: T + 600, remaining: 0, retryAfterMs: 200, resetMs: 600 },
  ],
  [
    "one millisecond early",
    T + 600,
    [1, 199],
    { isAdmitted: false, tat: T + 600, remaining: 0, retryAfterMs: 1, resetMs: 401 },
  ],
  [
    "one back",
    T + 600,
    [1, 200],
    { isAdmitted: true, tat: T + 800, remaining: 0, retryAfterMs: 0, resetMs: 600 },
  ],
  [
    "two at once when one is left",
    T + 400,
    [2, 0],
    { isAdmitted: false, tat: T + 400, remaining: 1, retryAfterMs: 200, resetMs: 400 },
  ],
  [
    "an hour idle",
    T + 600,
    [1, HOUR],
    { isAdmitted: true, tat: T + HOUR + 200, remaining: 2, retryAfterMs: 0, resetMs: 200 },
  ],
  [
    "a clock that steps back: empty, nothing given away",
    T + 200,
    [1, -HOUR],
    { isAdmitted: false, tat: T - HOUR + 600, remaining: 0, retryAfterMs: 200, resetMs: 600 },
  ],
  ["only looking", T + 400, [0, 0], admitted(400, 1)],
  [
    "a cost that no bucket holds",
    undefined,
    [4, 0],
    { isAdmitted: false, tat: T, remaining: 3, retryAfterMs: 1, resetMs: 0 },
  ],
  [
    "a cost that no bucket holds, from an empty one",
    T + 600,
    [4, 0],
    { isAdmitted: false, tat: T + 600, remaining: 0, retryAfterMs: 600, resetMs: 600 },
  ],
])("take: %s", (_name, tat, [cost, after], expected) => {
  expect(limit.take(tat, RATE, cost, T + after)).toEqual(expected);
});

test("a rate that was raised does not wait out the old one", () => {
  const slow = { requests: 1, perMs: HOUR, burst: 3 };
  const { tat } = limit.take(undefined, slow, 3, T);
  const next = limit.take(tat, RATE, 1, T);
  expect(next).toEqual({ isAdmitted: false, tat: T + 600, remaining: 0, retryAfterMs: 200, resetMs: 600 });
});

/** The instants at which calls of cost 1 are admitted. */
function admissions(rate: limit.Rate, instants: readonly number[], first?: number): number[] {
  let tat = first;
  return instants.filter((now) => {
    const taking = limit.take(tat, rate, 1, now);
    tat = taking.tat;
    return taking.isAdmitted;
  });
}

const RATES: readonly limit.Rate[] = [
  RATE,
  { requests: 1, perMs: 1000, burst: 1 },
  { requests: 3, perMs: 1000, burst: 1 },
  { requests: 7, perMs: 60_000, burst: 20 },
  { requests: 1000, perMs: 60_000, burst: 100 },
  { requests: 2999, perMs: 1000, burst: 10 },
];

describe.each(RATES)("$requests per $perMs ms, burst $burst", (rate) => {
  test("in any window never more than requests + burst", () => {
    const random = seeded(rate.requests);
    const instants: number[] = [];
    for (let now = T; instants.length < 20_000;) {
      now += oneOf(random, [0, 0, 0, 1, 1, 2, Math.floor((random() * 2 * rate.perMs) / rate.requests)]);
      instants.push(now);
    }
    const taken = admissions(rate, instants);
    for (const [index, from] of taken.entries()) {
      const over = taken[index + rate.requests + rate.burst];
      expect(over === undefined || over >= from + rate.perMs).toBe(true);
    }
  });

  test("in the long run exactly the rate", () => {
    const spanMs = 40 * rate.perMs;
    // Asked often enough that no call which has come back is left lying.
    const everyMs = Math.max(1, Math.floor(rate.perMs / rate.requests / 4));
    const asks = Math.ceil(rate.requests / rate.perMs) + 1;
    const instants: number[] = [];
    for (let passed = 0; passed < spanMs + everyMs; passed += everyMs) {
      for (let ask = 0; ask < asks; ask++) instants.push(T + Math.min(passed, spanMs));
    }
    const empty = limit.take(undefined, rate, rate.burst, T).tat;
    expect(admissions(rate, instants, empty)).toHaveLength(40 * rate.requests);
  });

  test("first use admits the burst and no more", () => {
    const now = T + 137;
    const instants = Array.from({ length: rate.burst + 5 }, () => now);
    expect(admissions(rate, instants)).toHaveLength(rate.burst);
  });

  test("whoever waits as told is admitted, and not before", () => {
    const random = seeded(rate.burst);
    let tat: number | undefined;
    let now = T;
    for (let round = 0; round < 2000; round++) {
      now += Math.floor((random() * rate.perMs) / rate.requests);
      const cost = 1 + Math.floor(random() * rate.burst);
      const taking = limit.take(tat, rate, cost, now);
      tat = taking.tat;
      if (taking.isAdmitted) continue;
      const told = now + taking.retryAfterMs;
      expect(limit.take(tat, rate, cost, told - 1).isAdmitted).toBe(false);
      expect(limit.take(tat, rate, cost, told).isAdmitted).toBe(true);
    }
  });

  test("a clock that steps back gives nothing away and locks out no longer than a burst takes", () => {
    const full = (rate.burst * rate.perMs) / rate.requests;
    for (const step of [1, 50, full, 2 * full, HOUR]) {
      const used = limit.take(undefined, rate, rate.burst, T).tat;
      const back = limit.take(used, rate, 1, Math.floor(T - step));
      expect(back.isAdmitted).toBe(false);
      expect(back.resetMs).toBeLessThanOrEqual(Math.ceil(full) + 1);
      expect(
        limit.take(back.tat, rate, rate.burst, Math.floor(T - step) + Math.ceil(full) + 1).isAdmitted,
      ).toBe(true);
    }
  });
});

test("every call of a burst is counted, whatever fraction of a millisecond it is worth", () => {
  const random = seeded(3);
  for (let round = 0; round < 1000; round++) {
    const requests = 1 + Math.floor(random() * 5000);
    const perMs = oneOf(random, [1000, 7000, 60_000, HOUR]);
    const rate = { requests, perMs, burst: 30 };
    const now = T + Math.floor(random() * 1e10);
    let tat: number | undefined;
    const remaining = Array.from({ length: 32 }, () => {
      const taking = limit.take(tat, rate, 1, now);
      tat = taking.tat;
      return taking.remaining;
    });
    expect(remaining).toEqual([...Array.from({ length: 30 }, (_, index) => 29 - index), 0, 0]);
  }
});

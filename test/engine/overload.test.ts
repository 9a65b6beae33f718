import { expect, test } from "vitest";
import * as overload from "../../shared/engine/overload.ts";
import type { Controller, OverloadPolicy, Visit } from "../../shared/engine/overload.ts";
import type { Priority } from "../../shared/engine/priority.ts";
import { seeded } from "./random.ts";

const POLICY: OverloadPolicy = {
  minConcurrency: 3,
  maxConcurrency: 1_000,
  updateEveryMs: 100,
  measureEveryMs: 60_000,
  measureCalls: 50,
  buffer: 0.25,
  percentile: 50,
};
const HOUR = 3_600_000;

const at = (now: number) => ({ now, random: () => 0.5 });

/** A workload, and calls that come to it. */
function workload(changes: Partial<OverloadPolicy> = {}) {
  const policy = { ...POLICY, ...changes };
  const controller = overload.createController(policy, at(0));
  const admit = (now: number, priority: Priority = "high"): Visit | null =>
    overload.admit(controller, policy, { priority, until: now + HOUR }, at(now));
  const finish = (visit: Visit | null, now: number): void => {
    if (visit !== null) overload.finish(controller, policy, visit, at(now));
  };
  /** How many calls get in, one after the other, that do not end. */
  const fill = (now: number, priority: Priority = "high"): number => {
    let count = 0;
    while (count < 2_000 && admit(now, priority) !== null) count += 1;
    return count;
  };
  return { policy, controller, admit, finish, fill };
}

/** Calls that come alone, each after the one before, and take `ms`. */
function alone(
  one: ReturnType<typeof workload>,
  from: number,
  { calls, ms }: { calls: number; ms: number },
): void {
  for (let call = 0; call < calls; call++) one.finish(one.admit(from + call * ms), from + (call + 1) * ms);
}

test.each<[Priority, number]>([
  ["low", 16],
  ["default", 18],
  ["high", 20],
])("calls of priority %s may fill %i of the 20 slots to begin with", (priority, expected) => {
  expect(workload().fill(0, priority)).toBe(expected);
});

test("shares are rounded up: at the lowest limit nobody is shut out", () => {
  expect(workload({ maxConcurrency: 3 }).fill(0, "low")).toBe(3);
});

test("priorities share the slots: high ones find room where low ones filled theirs", () => {
  const one = workload();
  expect([one.fill(0, "low"), one.fill(0, "default"), one.fill(0, "high")]).toEqual([16, 2, 2]);
});

test("measures without keeping calls few where enough of them come alone", () => {
  const one = workload();
  alone(one, 0, { calls: 50, ms: 40 });
  expect(one.controller).toMatchObject({ minimumMs: expect.closeTo(40, -1), measuringSince: null });
  expect(one.fill(2_000)).toBe(20);
});

test("keeps calls few to measure where they never come alone", () => {
  const one = workload();
  const busy = Array.from({ length: 10 }, () => one.admit(0));
  for (const visit of busy) one.finish(visit, 1_600);
  expect(one.fill(1_600)).toBe(3);
});

test("a measure ends after a second, with the calls that there were", () => {
  const one = workload();
  alone(one, 1_500, { calls: 1, ms: 10 });
  expect(one.controller).toMatchObject({ measuringSince: 1_500, minimumMs: null });
  one.finish(one.admit(2_500), 2_510);
  expect(one.controller).toMatchObject({ measuringSince: null, minimumMs: expect.closeTo(10, 0) });
});

test("measures again after the interval", () => {
  const one = workload();
  alone(one, 0, { calls: 50, ms: 40 });
  alone(one, 2_000, { calls: 500, ms: 20 });
  expect(one.controller.minimumMs).toBeCloseTo(40, -1);
  alone(one, 62_100, { calls: 1, ms: 20 });
  expect(one.controller.minimumMs).toBeCloseTo(20, -1);
});

/** A limit of 20 that was found at a latency of 10 ms, and then one window in which `many` calls take `ms`. */
function after(many: number, ms: number): number {
  const one = workload();
  alone(one, 0, { calls: 160, ms: 10 });
  const visits = Array.from({ length: many }, () => one.admit(1_701));
  for (const visit of visits) one.finish(visit, 1_701 + ms);
  one.admit(1_900);
  return one.controller.limit;
}

test.each([
  ["rises while latency is within the buffer", 18, 10, 30],
  ["hardly changes where latency has used the buffer and the headroom up", 18, 17, 19],
  ["falls with the latency", 18, 20, 17],
  ["falls by half at most, but for the headroom", 18, 90, 13],
  ["stays while less than half of it is used, however fast", 9, 5, 20],
  ["stays while less than half of it is used, however slow", 9, 90, 20],
])("the limit %s", (_name, many, ms, expected) => {
  expect(Math.round(after(many, ms))).toBe(expected);
});

test("calls that came under an earlier limit tell nothing of the one in force", () => {
  const one = workload();
  alone(one, 0, { calls: 160, ms: 10 });
  const before = Array.from({ length: 18 }, () => one.admit(1_600));
  one.admit(1_615);
  const { limit } = one.controller;
  for (const visit of before) one.finish(visit, 1_720);
  one.admit(1_730);
  expect([Math.round(limit), one.controller.limit]).toEqual([30, limit]);
});

test("what the clock cannot tell apart is no growth", () => {
  const one = workload();
  alone(one, 0, { calls: 1_600, ms: 1 });
  const visits = Array.from({ length: 20 }, () => one.admit(1_700));
  for (const visit of visits) one.finish(visit, 1_702);
  one.admit(1_900);
  expect(one.controller.limit).toBeGreaterThan(20);
});

test("five updates at the lowest limit lead to a new measure", () => {
  const one = workload({ maxConcurrency: 3 });
  alone(one, 0, { calls: 160, ms: 10 });
  const measuring = [0, 200, 400, 600, 800, 1_000].map((past) => {
    const visits = [0, 1, 2, 3].map(() => one.admit(2_000 + past));
    for (const visit of visits) one.finish(visit, 2_050 + past);
    return one.controller.measuringSince;
  });
  expect(measuring).toEqual([null, null, null, null, null, 3_000]);
});

test("a call whose caller has gone gives its slot back and tells nothing", () => {
  const one = workload();
  const visit = one.admit(0);
  const before = structuredClone(one.controller.quiet);
  if (visit !== null) overload.giveUp(one.controller, visit);
  one.finish(visit, 5_000);
  expect([one.controller.inFlight.size, one.controller.quiet]).toEqual([0, before]);
});

test("a lost answer keeps its slot no longer than the call may last", () => {
  const one = workload();
  for (let call = 0; call < 20; call++)
    overload.admit(one.controller, one.policy, { priority: "high", until: 500 }, at(0));
  expect([one.admit(499), one.admit(500)]).toEqual([null, expect.objectContaining({ startedAt: 500 })]);
});

test("an hour idle changes nothing but that it measures", () => {
  const one = workload();
  alone(one, 0, { calls: 50, ms: 40 });
  const { limit } = one.controller;
  one.admit(HOUR);
  expect(one.controller).toMatchObject({ limit, measuringSince: HOUR });
});

test("a policy that changes holds for the limit that was found", () => {
  const { controller } = workload();
  expect(overload.limitOf(controller, { ...POLICY, maxConcurrency: 5 })).toBe(5);
});

interface Outcome {
  readonly limit: number;
  /** Answers a second of calls that took no longer than they should. */
  readonly goodput: number;
  readonly medianMs: number;
}

interface Load {
  /** Calls that the service works on at once; more stand in a line. */
  readonly capacity: number;
  readonly serviceMs: number;
  readonly perSecond: number;
  readonly isProtected: boolean;
}

interface Job {
  readonly cameAt: number;
  readonly visit: Visit | null;
}

/** Twenty seconds of Poisson arrivals, of which the second half counts; a caller waits for ten times the service time. */
function simulate({ capacity, serviceMs, perSecond, isProtected }: Load): Outcome {
  const random = seeded(capacity + perSecond);
  const controller: Controller = overload.createController(POLICY, { now: 0, random });
  const freeAt = Array.from({ length: capacity }, () => 0);
  const ending = new Map<number, Job[]>();
  const latencies: number[] = [];
  let next = 0;
  for (let now = 0; now < 20_000; now++) {
    for (const { cameAt, visit } of ending.get(now) ?? []) {
      if (visit !== null) overload.finish(controller, POLICY, visit, { now, random });
      if (now > 10_000) latencies.push(now - cameAt);
    }
    for (; next <= now; next += (-Math.log(1 - random()) * 1_000) / perSecond) {
      const call = { priority: "default", until: now + HOUR } as const;
      const visit = isProtected ? overload.admit(controller, POLICY, call, { now, random }) : null;
      if (isProtected && visit === null) continue;
      const worker = freeAt.indexOf(Math.min(...freeAt));
      const endsAt = Math.max(now, freeAt[worker] ?? 0) + serviceMs * (0.8 + 0.4 * random());
      freeAt[worker] = endsAt;
      const endsIn = Math.ceil(endsAt);
      ending.set(endsIn, [...(ending.get(endsIn) ?? []), { cameAt: now, visit }]);
    }
  }
  const sorted = latencies.toSorted((a, b) => a - b);
  return {
    limit: controller.limit,
    goodput: sorted.filter((ms) => ms <= serviceMs * 10).length / 10,
    medianMs: sorted[Math.floor(sorted.length / 2)] ?? 0,
  };
}

test.each([
  { capacity: 4, serviceMs: 50 },
  { capacity: 10, serviceMs: 20 },
  { capacity: 20, serviceMs: 100 },
  { capacity: 100, serviceMs: 30 },
])(
  "finds the limit of $capacity calls at $serviceMs ms under three times the load",
  ({ capacity, serviceMs }) => {
    const peak = (capacity / serviceMs) * 1_000;
    const load = { capacity, serviceMs, perSecond: peak * 3 };

    const { limit, goodput, medianMs } = simulate({ ...load, isProtected: true });

    expect(limit / capacity).toBeGreaterThan(1);
    // The buffer over the share of default calls, and headroom.
    expect(limit).toBeLessThan(1.6 * capacity + 2 * Math.sqrt(capacity));
    expect(goodput / peak).toBeGreaterThan(0.9);
    // The buffer, and the headroom of the limit: its root.
    expect(medianMs / serviceMs).toBeLessThan(1.25 + 2 / Math.sqrt(capacity));
    expect(simulate({ ...load, isProtected: false }).goodput).toBe(0);
  },
);

test.each([0.3, 0.6])("refuses hardly anybody at %f of the capacity", (share) => {
  const perSecond = 1_000 * share;
  const { goodput } = simulate({ capacity: 20, serviceMs: 20, perSecond, isProtected: true });
  expect(goodput / perSecond).toBeGreaterThan(0.97);
});

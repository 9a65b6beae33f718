import { expect, test } from "vitest";
import type { OutlierPolicy } from "../../shared/engine/outlier.ts";
import { carry } from "../../shared/forward/carry.ts";
import type { OutcomeReport } from "../../shared/wire/rpc.ts";
import { get, ok, reception, setUp, TWO, unavailable } from "../fakes/loop.ts";
import { START, type MeshKit } from "../fakes/mesh-kit.ts";
import { service, TRAFFIC } from "../fakes/units.ts";

const OUTLIER: OutlierPolicy = {
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectedRatio: 0.1,
  consecutive5xx: 1e9,
  consecutiveGatewayErrors: null,
  consecutiveLocalFailures: null,
  splitsLocalFailures: false,
  successRate: null,
  failurePercentage: null,
};

interface Host {
  readonly kit: MeshKit;
  /** Endpoints that answer 503. */
  readonly failing: Set<string>;
  call(count: number): Promise<void>;
  /** Calls every `everyMs` for some time. */
  keepCalling(forMs: number, everyMs: number): Promise<void>;
}

function start(changes: Partial<OutlierPolicy> = {}): Host {
  const traffic = {
    ...TRAFFIC,
    retry: { ...TRAFFIC.retry, retries: 0 },
    circuit: { failuresToOpen: 1e9, openForMs: 1_000, rejects: false },
    outlier: { ...OUTLIER, ...changes },
  };
  const failing = new Set<string>();
  const { kit } = setUp(service("reviews", { endpoints: TWO, traffic }), [], {
    send: async ({ id }) => (failing.has(id) ? unavailable() : ok()),
  });
  const call = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left--) await kit.run(carry(kit.mesh, get(), reception()));
  };
  const keepCalling = async (forMs: number, everyMs: number): Promise<void> => {
    for (let passed = 0; passed < forMs; passed += everyMs) {
      await call(1);
      await kit.advance(everyMs);
    }
  };
  return { kit, failing, call, keepCalling };
}

const callsIn = (report: OutcomeReport | undefined): number =>
  (report?.counts ?? []).reduce((sum, { calls }) => sum + calls, 0);

/** When reports came, in milliseconds: their numbers follow the clock. */
const timesOf = (kit: MeshKit): number[] => kit.calls.outcomes.map(({ report }) => report.sequence - START);

test("the first failure is told within 250 ms, with all that happened until then", async () => {
  const { kit, failing, call } = start();
  await call(3);
  failing.add("b");
  await call(1);
  failing.clear();
  await call(1);
  await kit.advance(250);

  expect(timesOf(kit)).toHaveLength(1);
  expect(timesOf(kit)[0]).toBeLessThanOrEqual(250);
  const [told] = kit.calls.outcomes;
  const none = { serverErrors: 0, gatewayErrors: 0, localFailures: 0 };
  const one = { serverErrors: 1, gatewayErrors: 1, localFailures: 0 };
  expect([told?.service, told?.report.reporter]).toEqual(["shop/reviews", "reporter-1"]);
  expect(told?.report.counts).toEqual([
    { endpoint: "a", calls: 3, ...none, inARow: none },
    { endpoint: "b", calls: 2, ...one, inARow: one },
  ]);
});

test("while calls fail reports come every half second", async () => {
  const { kit, failing, keepCalling } = start();
  failing.add("a");
  await keepCalling(3_000, 20);
  const times = timesOf(kit);
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  expect(times.length).toBeGreaterThanOrEqual(5);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(500);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(560);
});

test.each([
  [10_000, 5, 14],
  [60_000, 30, 2],
  [1_000, 5, 14],
])(
  "where nothing fails and the interval is %i ms, one comes every %i s: half of it, and 5 s at least",
  async (intervalMs, seconds, count) => {
    const { kit, keepCalling } = start({ intervalMs });
    await keepCalling(70_000, 100);
    const times = timesOf(kit);
    const gaps = times.slice(1).map((time, index) => Math.round((time - (times[index] ?? 0)) / 1_000));
    expect([times.length, ...new Set(gaps)]).toEqual([count, seconds]);
  },
);

test("at 250 calls a second without failures a report tells of more than 1,000", async () => {
  const { kit, call } = start();
  for (let step = 0; step < 240; step++) {
    await call(25);
    await kit.advance(100);
  }
  const told = kit.calls.outcomes.map(({ report }) => callsIn(report));
  expect(told.length).toBeGreaterThanOrEqual(4);
  expect(Math.min(...told)).toBeGreaterThanOrEqual(1_000);
});

test("what could not be told is told again as it was, and the rest after it", async () => {
  const { kit, failing, call } = start();
  failing.add("a");
  const reach = kit.control.reportOutcomes;
  const tried: OutcomeReport[] = [];
  kit.control.reportOutcomes = async (_service, report) => {
    tried.push(report);
    throw new Error("out of reach");
  };
  await call(2);
  await kit.advance(1_000);
  await call(4);
  await kit.advance(1_000);
  kit.control.reportOutcomes = reach;
  await call(2);
  await kit.advance(1_000);
  await call(2);
  await kit.advance(1_000);

  expect(tried.map(callsIn)).toEqual([2, 2]);
  const reports = kit.calls.outcomes.map(({ report }) => report);
  expect(reports.map(callsIn)).toEqual([2, 8]);
  expect(reports[0]).toEqual(tried[0]);
  expect(kit.lines.filter(({ event }) => event === "outcomes.unreported")).toHaveLength(2);
});

test("a report that died with its request does not keep others back", async () => {
  const { kit, failing, call } = start();
  failing.add("a");
  const reach = kit.control.reportOutcomes;
  const lost: OutcomeReport[] = [];
  kit.control.reportOutcomes = (_service, report) => {
    lost.push(report);
    return new Promise(() => undefined);
  };
  await call(2);
  await kit.advance(4_000);
  await call(2);
  await kit.advance(1_000);
  expect(lost.map(callsIn)).toEqual([2]);

  kit.control.reportOutcomes = reach;
  await kit.advance(1_000);
  await call(2);
  await kit.advance(1_000);
  expect(kit.calls.outcomes.map(({ report }) => report)).toEqual(lost);
});

test("a clock that stepped back makes nobody wait longer than usual", async () => {
  const { kit, failing, call } = start();
  failing.add("a");
  await call(2);
  await kit.advance(1_000);
  const { now } = kit.mesh.ports;
  Object.assign(kit.mesh.ports, { now: () => now() - 3_600_000 });
  await call(2);
  await kit.advance(1_000);
  const [before, after] = kit.calls.outcomes.map(({ report }) => report.sequence);
  expect(after).toBe((before ?? 0) + 1);
});

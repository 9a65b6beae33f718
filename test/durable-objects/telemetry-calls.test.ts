import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { recordable } from "../../durable-objects/telemetry-calls-check.ts";
import { MAX_OF_UNIT, MAX_WRITES } from "../../durable-objects/telemetry-calls.ts";
import type { CallSample, RecordedCall } from "../../shared/wire/recorded-call.ts";
import type { TelemetryApi } from "../../shared/wire/telemetry-rpc.ts";
import { report } from "./telemetry-kit.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;
const REVIEWS = "service:shop/reviews";

let tests = 0;
let name = "";
let sequence = 0;

beforeEach(() => {
  name = `calls-${(tests += 1)}`;
  sequence = 0;
  vi.useFakeTimers({ toFake: ["Date"], now: Math.ceil(Date.now() / MINUTE + 1) * MINUTE });
});

afterEach(() => {
  vi.useRealTimers();
});

const stub = () => env.TELEMETRY.getByName(name);
const object = (): TelemetryApi => stub();
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
const alarmAt = () => runInDurableObject(stub(), (_, state) => state.storage.getAlarm());

function call(changes: Partial<RecordedCall> = {}): RecordedCall {
  const rest = { endpoint: "a", caller: null, host: "reviews", port: 80, method: "GET" };
  return { unit: REVIEWS, path: "/", headers: {}, ...rest, ...changes };
}

function sample(changes: Partial<RecordedCall> = {}, more: Partial<CallSample> = {}): CallSample {
  return { call: call(changes), isAdmitted: true, calls: 1, ...more };
}

/** A report with recorded calls, after which the object loses its memory. */
async function send(...calls: readonly CallSample[]): Promise<void> {
  await object().report({ ...report((sequence += 1), []), calls });
  await evictDurableObject(stub());
}

async function paths(): Promise<readonly string[]> {
  return (await object().recordedCalls([REVIEWS])).map((each) => each.call.path);
}

test("calls that are alike are one, written once a minute", async () => {
  await send(sample({}, { calls: 2 }), sample({ path: "/b" }));
  await send(sample());
  const first = Date.now();
  pass(MINUTE);
  await send(sample({}, { calls: 3 }));

  expect(await object().recordedCalls([REVIEWS, "service:shop/other"])).toEqual([
    { call: call(), calls: 5, seenAt: first + MINUTE },
    { call: call({ path: "/b" }), calls: 1, seenAt: first },
  ]);
});

test("units are told with their numbers, of some namespaces or of all", async () => {
  await send(sample(), sample({ path: "/b" }), sample({ unit: "workload:blog/web-1", endpoint: "" }));

  const shop = { unit: REVIEWS, calls: 2 };
  expect(await object().recordedUnits(null)).toEqual([shop, { unit: "workload:blog/web-1", calls: 1 }]);
  expect(await object().recordedUnits(["shop"])).toEqual([shop]);
  expect(await object().recordedUnits([])).toEqual([]);
});

test("calls are kept for a day, and the object sleeps in between", async () => {
  await send(sample());
  pass(11 * MINUTE);
  await runDurableObjectAlarm(stub());
  expect([await paths(), await alarmAt()]).toEqual([["/"], Date.now() + 60 * MINUTE]);

  // The next report needs its minute again.
  await send(sample({ path: "/b" }));
  expect(await alarmAt()).toBe(Date.now() + MINUTE);

  pass(DAY);
  expect(await paths()).toEqual([]);
  await runDurableObjectAlarm(stub());
  expect(await alarmAt()).toBe(null);
});

test("a workload keeps the newest of those admitted and of those denied", async () => {
  const count = MAX_OF_UNIT + 1;
  await send(sample({ path: "/admitted" }));
  pass(1);
  for (let n = 0; n < count; n += 100) {
    const batch = Array.from({ length: Math.min(100, count - n) }, (_, index) =>
      sample({ path: `/denied/${n + index}` }, { isAdmitted: false }),
    );
    await send(...batch);
    pass(1);
  }
  await runDurableObjectAlarm(stub());

  const kept = await paths();
  expect([kept.length, kept.includes("/admitted"), kept.includes("/denied/0")]).toEqual([
    MAX_OF_UNIT + 1,
    true,
    false,
  ]);
});

test("writes of a namespace are limited by the minute, and another's are not", async () => {
  for (let n = 0; n < MAX_WRITES + 100; n += 100) {
    const batch = Array.from({ length: 100 }, (_, index) => sample({ path: `/${n + index}` }));
    await object().report({ ...report((sequence += 1), []), calls: batch });
  }
  await send(sample({ unit: "service:blog/web" }));

  expect(await object().recordedUnits(null)).toEqual([
    { unit: "service:blog/web", calls: 1 },
    { unit: REVIEWS, calls: MAX_WRITES },
  ]);
});

describe("what makes no sense is left out, and the rest of the report counts", () => {
  const bad = (changes: object): CallSample => Object.assign(sample(), changes);

  test.each<[string, CallSample]>([
    ["no unit of calls", sample({ unit: "directory" })],
    ["a name that is none", sample({ unit: "service:shop/../x" })],
    ["a path that is too long", sample({ path: "/".repeat(1_025) })],
    ["a value that is too long", sample({ headers: { "x-team": "a".repeat(257) } })],
    [
      "too many fields",
      sample({ headers: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [n, ""])) }),
    ],
    ["an address that is none", sample({ addresses: { source: [1, 2], remote: null } })],
    ["no call at all", bad({ call: null })],
    ["no number", bad({ calls: 0 })],
    ["a number that sums could not tell", bad({ calls: Number.MAX_SAFE_INTEGER })],
    ["no outcome", bad({ isAdmitted: "yes" })],
  ])("%s", (_name, sent) => {
    const good = sample({ path: "/good" });
    expect(recordable({ ...report(1, []), calls: [sent, good] })).toEqual([good]);
  });
});

test("a call of very much text is not kept", async () => {
  const claims = Array.from({ length: 16 }, (_, n) => ({ path: [`c${n}`], values: ["v".repeat(600)] }));
  await send(sample({ user: { claims } }), sample({ path: "/b", user: { claims: claims.slice(0, 4) } }));
  expect(await paths()).toEqual(["/b"]);
});

test("a call is the same in whatever order its fields come, without those that are none", async () => {
  const headers = { b: "2", a: null };
  const { unit, ...rest } = call({ headers });
  await send(sample({ headers }));
  await send(sample(Object.assign({ secret: "x" }, rest, { headers: { a: null, b: "2" }, unit })));

  expect(await object().recordedCalls([REVIEWS])).toEqual([
    { call: call({ headers }), calls: 1, seenAt: Date.now() },
  ]);
});

test("a report of the release before has no calls", async () => {
  await object().report(report(1, []));
  expect(await object().recordedUnits(null)).toEqual([]);
});

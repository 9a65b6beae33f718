import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { circuitOf } from "../../durable-objects/env.ts";

let tests = 0;
let service = "";
let start = 0;

beforeEach(() => {
  service = `shop/service-${(tests += 1)}`;
  vi.useFakeTimers({ toFake: ["Date"] });
  start = Date.now();
});

afterEach(() => {
  vi.useRealTimers();
});

const stub = () => env.CIRCUIT.getByName(service);
const registry = () => env.REGISTRY.getByName("mesh");
const circuit = () => circuitOf(env, service);
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
const alarmAt = () => runInDurableObject(stub(), (_, state) => state.storage.getAlarm());

/** One report, then the object loses its memory. */
async function report(reporter: string, state: "open" | "closed", endpoint = "a"): Promise<void> {
  await circuit().report(service, [{ endpoint, reporter, state }]);
  await evictDurableObject(stub());
}

/** What the registry was told, straight from its storage. */
async function told(): Promise<{ sequence: number; ejected: unknown } | null> {
  return runInDurableObject(registry(), (_, state) => {
    const [row] = state.storage.sql.exec<{ sequence: number; body: string }>(
      "SELECT sequence, body FROM published WHERE topic = 'ejections' AND service = ?",
      service,
    );
    return row === undefined ? null : { sequence: row.sequence, ejected: JSON.parse(row.body) };
  });
}

/** The registry refuses to store publications, as it would with a full disk. */
async function breakRegistry(): Promise<void> {
  await runInDurableObject(registry(), (_, state) => {
    state.storage.sql.exec(
      "CREATE TRIGGER broken BEFORE INSERT ON published BEGIN SELECT RAISE(ABORT, 'broken'); END",
    );
  });
}

async function mendRegistry(): Promise<void> {
  await runInDurableObject(registry(), (_, state) => void state.storage.sql.exec("DROP TRIGGER broken"));
}

test("two hosts eject an endpoint, one answer brings it back, across evictions", async () => {
  await report("host-1", "open");
  expect(await told()).toBeNull();
  await report("host-2", "open");
  expect(await told()).toEqual({ sequence: start, ejected: ["a"] });
  await report("host-3", "closed");
  expect(await told()).toEqual({ sequence: start + 1, ejected: [] });
});

test("a repeated report is told once", async () => {
  await report("host-1", "open");
  await report("host-2", "open");
  await report("host-2", "open");
  expect(await told()).toEqual({ sequence: start, ejected: ["a"] });
});

test("several endpoints are told together, in order", async () => {
  const reports = ["b", "a", "c"].flatMap((endpoint) =>
    ["host-1", "host-2"].map((reporter) => ({ endpoint, reporter, state: "open" as const })),
  );
  await circuit().report(service, reports.slice(0, 5));
  expect(await told()).toEqual({ sequence: start, ejected: ["a", "b"] });
});

test("an ejection that nobody renews lapses by alarm", async () => {
  await report("host-1", "open");
  await report("host-2", "open");
  const due = await alarmAt();
  expect(due).toBe(Date.now() + 60_000);
  await evictDurableObject(stub());
  pass(59_999);
  await runDurableObjectAlarm(stub());
  expect(await told()).toEqual({ sequence: start, ejected: ["a"] });
  await evictDurableObject(stub());
  pass(1);
  await runDurableObjectAlarm(stub());
  expect(await told()).toEqual({ sequence: start + 60_000, ejected: [] });
  expect(await alarmAt()).toBeNull();
});

test("while the registry cannot be reached the newest ejections wait, and its alarm tells them", async () => {
  await runInDurableObject(registry(), () => undefined);
  await breakRegistry();
  await report("host-1", "open");
  await report("host-2", "open");
  expect(await alarmAt()).toBe(Date.now() + 5000);
  await report("host-1", "open", "b");
  await report("host-2", "open", "b");
  await runDurableObjectAlarm(stub());
  expect(await told()).toBeNull();
  expect(await alarmAt()).toBe(Date.now() + 5000);

  await mendRegistry();
  await evictDurableObject(stub());
  expect(await runDurableObjectAlarm(stub())).toBe(true);
  expect(await told()).toEqual({ sequence: start + 1, ejected: ["a", "b"] });
  expect(await alarmAt()).toBe(Date.now() + 60_000);
});

test("a lost alarm is set again by the next call", async () => {
  await report("host-1", "open");
  await runInDurableObject(stub(), (_, state) => state.storage.deleteAlarm());
  await report("host-1", "open", "b");
  expect(await alarmAt()).toBe(Date.now() + 60_000);
});

test("of fifty hosts one probes; the next after its lease, although the object was evicted", async () => {
  const hosts = Array.from({ length: 50 }, (_, index) => `host-${index}`);
  const answers = await Promise.all(hosts.map((host) => circuit().claimProbe(service, "a", host)));
  expect(answers.filter((isGranted) => isGranted)).toHaveLength(1);
  const holder = hosts[answers.indexOf(true)] ?? "";

  await evictDurableObject(stub());
  pass(4999);
  expect(await circuit().claimProbe(service, "a", "late")).toBe(false);
  expect(await circuit().claimProbe(service, "a", holder)).toBe(true);
  expect(await circuit().claimProbe(service, "b", "late")).toBe(true);
  await evictDurableObject(stub());
  pass(1);
  expect(await circuit().claimProbe(service, "a", "late")).toBe(true);
  expect(await circuit().claimProbe(service, "b", "other")).toBe(false);
});

test("a probe is leased for as long as its host's circuit is open, and given back by an answer", async () => {
  expect(await circuit().claimProbe(service, "a", "host-1", 40_000)).toBe(true);
  await evictDurableObject(stub());
  pass(39_999);
  expect(await circuit().claimProbe(service, "a", "host-2", 40_000)).toBe(false);
  await evictDurableObject(stub());
  pass(1);
  expect(await circuit().claimProbe(service, "a", "host-2", 40_000)).toBe(true);
  await report("host-2", "closed");
  expect(await circuit().claimProbe(service, "a", "host-3", 40_000)).toBe(true);
});

test("an ejection lasts for as long as its hosts wait to probe", async () => {
  for (const reporter of ["host-1", "host-2"]) {
    await circuit().report(service, [{ endpoint: "a", reporter, state: "open", openForMs: 50_000 }]);
    await evictDurableObject(stub());
  }
  pass(99_999);
  await runDurableObjectAlarm(stub());
  expect(await told()).toEqual({ sequence: start, ejected: ["a"] });
  pass(1);
  await runDurableObjectAlarm(stub());
  expect(await told()).toEqual({ sequence: start + 100_000, ejected: [] });
});

test("the record is bounded: what is new is dropped, what is known still counts", async () => {
  const many = Array.from({ length: 1000 }, (_, index) => ({
    endpoint: `e${String(index).padStart(3, "0")}-${"x".repeat(315)}`,
    reporter: `r1-${"x".repeat(125)}`,
    state: "open" as const,
  }));
  await circuit().report(service, many);
  await circuit().report(service, [
    { endpoint: "new", reporter: "host-1", state: "open" },
    { endpoint: "new", reporter: "host-2", state: "open" },
  ]);
  await circuit().report(
    service,
    many.map((report) => ({ ...report, reporter: `r2-${"x".repeat(381)}` })),
  );
  expect(await told()).toEqual({ sequence: start, ejected: many.map(({ endpoint }) => endpoint) });
  expect(await circuit().claimProbe(service, "new", "host-1")).toBe(true);
  expect(await circuit().claimProbe(service, "new", "host-2")).toBe(true);
});

test.each([
  ["endpoint", "e".repeat(321), "host"],
  ["reporter", "e", "h".repeat(385)],
])("a report with an overlong %s is dropped", async (_name, endpoint, reporter) => {
  await circuit().report(service, [
    { endpoint, reporter: `${reporter}1`, state: "open" },
    { endpoint, reporter: `${reporter}2`, state: "open" },
  ]);
  expect(await told()).toBeNull();
  expect(await alarmAt()).toBeNull();
});

import { env } from "cloudflare:workers";
import { evictAllDurableObjects, reset, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { circuitOf, healthOf } from "../../durable-objects/env.ts";
import type { Endpoint } from "../../shared/engine/endpoint.ts";
import { count, noCounts, type CallEnd, type OutcomeCounts } from "../../shared/engine/outlier-counts.ts";
import { serviceKey } from "../../shared/engine/snapshot.ts";
import { carry } from "../../shared/forward/carry.ts";
import type { Ports } from "../../shared/forward/ports.ts";
import { createState, type Mesh } from "../../shared/forward/state.ts";
import type { SyncRequest } from "../../shared/wire/registry-rpc.ts";
import { controlOf } from "../../workers/edge/control.ts";
import { runtimePorts } from "../../workers/runtime.ts";
import { apply, endpoint, exec, refTo, registry, service, stub as mesh, valueOf } from "./registry-kit.ts";

const SERVICE = "shop/cart";

const stub = () => env.HEALTH.getByName(SERVICE);
const health = () => healthOf(env, SERVICE);

beforeEach(() => {
  for (const method of ["log", "warn", "error"] as const) vi.spyOn(console, method).mockReturnValue();
});

afterEach(async () => {
  // `reset` forgets objects that are evicted, and so leaves their storage to the next test.
  await registry().status();
  await runInDurableObject(stub(), () => undefined);
  vi.restoreAllMocks();
  await reset();
});

function policy(outlierDetection: object | undefined, more: object = {}) {
  const spec = { targetRefs: [{ kind: "Service", name: "cart" }], outlierDetection, ...more };
  return {
    apiVersion: "selvedge.dev/v1",
    kind: "TrafficPolicy",
    metadata: { name: "cart", namespace: "shop" },
    spec: JSON.parse(JSON.stringify(spec)) as object,
  };
}

const NAMES = ["a", "b", "c"];

/** A service with endpoints and outlier detection; done when its health object has the order. */
async function start(outlierDetection: object = {}, more: object = {}): Promise<void> {
  const endpoints = NAMES.map((name) => endpoint(name, "cart"));
  valueOf(await apply([service("cart"), ...endpoints, policy(outlierDetection, more)]));
  await ordered(1);
}

/** Waits until the health object has its order, or none. */
async function ordered(orders: number): Promise<void> {
  await runDurableObjectAlarm(mesh());
  await vi.waitUntil(async () => (await stored()).length === orders);
}

const stored = () =>
  runInDurableObject(stub(), (_, state) => [
    ...state.storage.sql.exec<{ endpoints: string; pool: string }>("SELECT endpoints, pool FROM outliers"),
  ]);

const ENDS: Readonly<Record<string, CallEnd>> = { ".": "answer", f: "server-error" };

function counts(id: string, ends: string): OutcomeCounts {
  const counting = noCounts();
  for (const letter of ends) count(counting, ENDS[letter] ?? "answer", { splitsLocalFailures: false });
  return { endpoint: id, ...counting };
}

let sequence = 0;

/** One report of calls, a letter for the end of each; then all objects lose their memory. */
async function report(reporter: string, ends: string, id = "a", number = (sequence += 1)): Promise<void> {
  await health().reportOutcomes(SERVICE, { reporter, sequence: number, counts: [counts(id, ends)] });
  await evictAllDurableObjects();
}

/** An endpoint as hosts are told of it. */
async function told(id: string): Promise<Endpoint | undefined> {
  const { units } = await registry().sync({ version: 0, held: [], wanted: [serviceKey(SERVICE)] });
  const [, unit] = units[0] ?? [];
  return unit?.kind === "service" ? unit.endpoints.find((one) => one.id === id) : undefined;
}

async function out(): Promise<string> {
  const [found] = await registry().services("shop");
  return (found?.endpoints ?? []).flatMap(({ id, isEjected }) => (isEjected ? [id] : [])).join();
}

describe("failures in a row", () => {
  test("that two hosts report eject for all hosts, across evictions, until their time is over", async () => {
    await start();
    const before = Date.now();
    await report("x", "ffff");
    expect(await out()).toBe("");
    await report("y", "f");
    const after = Date.now();

    expect(await out()).toBe("a");
    const until = (await told("a"))?.ejectedUntil ?? 0;
    expect(until).toBeGreaterThanOrEqual(before + 30_000);
    expect(until).toBeLessThanOrEqual(after + 30_000);
    expect((await told("b"))?.ejectedUntil).toBeUndefined();
    expect(await registry().status()).toMatchObject({
      healthyEndpoints: 2,
      ejected: [{ service: SERVICE, endpoints: 1 }],
    });
    await evictAllDurableObjects();
    expect((await told("a"))?.ejectedUntil).toBe(until);
  });

  test("that one host reports alone eject nothing, however often", async () => {
    await start();
    for (let times = 0; times < 5; times += 1) await report("liar", "ffffffffff");
    expect(await out()).toBe("");
    expect((await stored()).length).toBe(1);
  });

  test("are over with a success that any host reports", async () => {
    await start();
    await report("x", "ffff");
    await report("y", ".");
    await report("z", "f");
    expect(await out()).toBe("");
  });

  test("count once, however often a report comes", async () => {
    await start();
    for (let times = 0; times < 3; times += 1) await report("x", "ff", "a", 7);
    await report("y", "f");
    expect(await out()).toBe("");
    await report("x", "ff", "a", 8);
    expect(await out()).toBe("a");
  });

  test("of endpoints that the service does not have are nobody's", async () => {
    await start();
    await report("x", "fffff", "stranger");
    await report("y", "fffff", "stranger");
    const [row] = await stored();
    expect(row?.pool).not.toContain("stranger");
    expect(await out()).toBe("");
  });

  test("are not pooled without outlier detection", async () => {
    valueOf(await apply([service("cart"), endpoint("a", "cart"), policy(undefined, { panicThreshold: 10 })]));
    await report("x", "fffff");
    await report("y", "fffff");
    expect([await out(), await stored()]).toEqual(["", []]);
  });
});

test("rates are pooled over an interval", async () => {
  await start({ interval: "1h", consecutive5xxErrors: 0, failurePercentage: { minimumEndpoints: 3 } });
  for (const id of ["b", "c"]) await report("x", ".".repeat(60), id);
  await report("x", "f".repeat(40));
  await report("y", "ffffffffff.");
  expect(await out()).toBe("");
  await runInDurableObject(stub(), (_, state) => {
    const [{ pool } = { pool: "" }] = state.storage.sql.exec<{ pool: string }>("SELECT pool FROM outliers");
    const ended = { ...JSON.parse(pool), intervalEndsAt: Date.now() - 1 };
    state.storage.sql.exec("UPDATE outliers SET pool = ?", JSON.stringify(ended));
  });
  await report("z", ".", "b");
  expect(await out()).toBe("a");
});

/** Two hosts report enough failures of one endpoint. */
async function eject(): Promise<void> {
  await report("x", "ffff");
  await report("y", "f");
}

/** Begins the next round of checks at once, on an object that starts from storage, and tells who is out then. */
async function round(): Promise<string> {
  await evictAllDurableObjects();
  await runInDurableObject(stub(), (_, state) => {
    state.storage.sql.exec("UPDATE checks SET next_at = 1");
  });
  await runDurableObjectAlarm(stub());
  return out();
}

describe("an ejection", () => {
  test("ends by itself, without anybody being told", async () => {
    await start({ baseEjectionTime: "300ms" });
    await eject();
    expect(await out()).toBe("a");
    const { version } = await registry().status();
    await vi.waitUntil(async () => (await out()) === "", { timeout: 2_000 });
    expect((await registry().status()).version).toBe(version);
    await apply([endpoint("d", "cart")]);
    expect((await told("a"))?.ejectedUntil).toBeUndefined();
  });

  test("ends with its policy", async () => {
    await start();
    await eject();
    await apply([policy(undefined, { panicThreshold: 10 })]);
    await ordered(0);
    await vi.waitUntil(async () => (await out()) === "");
  });

  test("stays while other endpoints come and go, and goes with its own", async () => {
    await start();
    await eject();
    await apply([endpoint("d", "cart")]);
    await runDurableObjectAlarm(mesh());
    await vi.waitUntil(async () => (await stored())[0]?.endpoints.includes('"d"'));
    await evictAllDurableObjects();
    await report("z", ".", "d");
    expect(await out()).toBe("a");
    await registry().remove([refTo(endpoint("a", "cart"))], "ada");
    await runDurableObjectAlarm(mesh());
    await vi.waitUntil(async () => (await stored())[0]?.pool.includes('["a"') === false);
  });

  test("is told when the registry is back", async () => {
    await start();
    await exec("CREATE TRIGGER broken BEFORE INSERT ON published BEGIN SELECT RAISE(ABORT, 'broken'); END");
    await eject();
    expect(await out()).toBe("");
    await exec("DROP TRIGGER broken");
    await evictAllDurableObjects();
    await runDurableObjectAlarm(stub());
    expect(await out()).toBe("a");
  });

  test("ends with the first check that passes", async () => {
    let status = 500;
    vi.spyOn(globalThis, "fetch").mockImplementation(async () => new Response(null, { status }));
    await start({}, { healthCheck: { unhealthyThreshold: 10 } });
    await vi.waitUntil(async () => (await exec("SELECT body FROM check_orders"))[0]?.["body"] !== null);
    await eject();
    expect(await round()).toBe("a");
    status = 200;
    await vi.waitUntil(async () => (await round()) === "");
    expect((await told("a"))?.ejectedUntil).toBeUndefined();
  });
});

describe("orders", () => {
  test("are sent by the registry to a service that had its policy before the release did this", async () => {
    await start();
    await runInDurableObject(stub(), (_, state) => {
      state.storage.sql.exec("DELETE FROM outliers");
    });
    await exec("UPDATE check_orders SET outlier = NULL");
    await exec("UPDATE facts SET value = 'older' WHERE name = 'compiler'");
    await evictAllDurableObjects();
    await registry().status();
    await ordered(1);
  });

  test("that change what is checked leave what is pooled, and the other way around", async () => {
    vi.spyOn(globalThis, "fetch").mockImplementation(async () => new Response(null));
    await start();
    await report("x", "ffff");
    await apply([policy({}, { healthCheck: {} })]);
    await runDurableObjectAlarm(mesh());
    await vi.waitUntil(async () => {
      const rows = await runInDurableObject(stub(), (_, state) => [
        ...state.storage.sql.exec<{ body: string | null }>("SELECT body FROM checks"),
      ]);
      return rows[0]?.body !== null && rows[0]?.body !== undefined;
    });
    await report("y", "f");
    expect(await out()).toBe("a");
  });
});

/** A host watches the registry for longer than a test waits for it to end. */
function shorten({ waitMs }: SyncRequest): Pick<SyncRequest, "waitMs"> {
  return waitMs === undefined ? {} : { waitMs: Math.min(waitMs, 1_000) };
}

/** A host of the mesh at the real control plane; endpoints in `failing` answer 503. */
function host(
  reporter: string,
  failing: ReadonlySet<string>,
): { call(): Promise<string>; settle(): Promise<void> } {
  const control = controlOf(env);
  const deferred: Promise<unknown>[] = [];
  let called = "";
  const ports: Ports = {
    ...runtimePorts({ waitUntil: (work) => void deferred.push(work) }, null),
    hold: () => null,
    locality: () => null,
    wayTo: () => ({ origin: null, carriesToken: false }),
    ask: () => Promise.reject(new Error("nobody is to be asked")),
    send: async ({ id }) => {
      called = id;
      return new Response("", { status: failing.has(id) ? 503 : 200 });
    },
    limiter: () => null,
    control: { ...control, sync: (request) => control.sync({ ...request, ...shorten(request) }) },
  };
  const settings = {
    enforcesInbound: false,
    logSampleRatio: 0,
    outlivesCalls: true,
    trustedHops: 0,
    recordsCalls: false,
  };
  const one: Mesh = { state: createState(reporter), ports, settings };
  return {
    call: async () => {
      const response = await carry(one, new Request("http://cart/"), {
        isFromOutside: false,
        readsTokens: false,
        vouched: () => null,
        goalOf: () => ({ kind: "service", service: SERVICE }),
        signal: null,
        needs: [],
      });
      await response.body?.cancel();
      return called;
    },
    settle: async () => {
      while (deferred.length > 0) await deferred.shift();
    },
  };
}

function reportOpen(reporter: string): Promise<void> {
  const report = { endpoint: "a", reporter, state: "open", openForMs: 60_000 } as const;
  return circuitOf(env, SERVICE).report(SERVICE, [report]);
}

describe("a host that has made one call", () => {
  const NO_RETRIES = { retry: { attempts: 0 }, loadBalancer: { type: "RoundRobin" } };

  test(
    "learns of what two others saw within a second, and a fresh one before its first call",
    { timeout: 15_000 },
    async () => {
      await start({ consecutive5xxErrors: 2 }, NO_RETRIES);
      const failing = new Set(["a"]);
      const [one, two, three] = [host("one", failing), host("two", failing), host("three", new Set())];
      await three.call();
      // Each sees it fail once: too seldom for any of them.
      for (let call = 0; call < 3; call += 1) await Promise.all([one.call(), two.call()]);
      const before = Date.now();
      const learn = async (): Promise<boolean> => {
        const calls = [await three.call(), await three.call(), await three.call()];
        return !calls.includes("a");
      };
      await vi.waitUntil(learn, { timeout: 3_000 });
      // A second, and what a busy machine takes.
      expect(Date.now() - before).toBeLessThan(2_000);
      expect(await out()).toBe("a");

      const fresh = host("fresh", failing);
      const calls = [await fresh.call(), await fresh.call(), await fresh.call(), await fresh.call()];
      expect(calls.filter((id) => id === "a")).toEqual([]);
      await Promise.all([one, two, three, fresh].map((each) => each.settle()));
    },
  );

  test(
    "that is fresh avoids what a quorum's circuits took out, which no one alone can",
    { timeout: 15_000 },
    async () => {
      await start({}, NO_RETRIES);
      for (let times = 0; times < 3; times += 1) await reportOpen("liar");
      expect(await out()).toBe("");
      await reportOpen("honest");
      await evictAllDurableObjects();
      const fresh = host("fresh", new Set());
      const calls = [await fresh.call(), await fresh.call(), await fresh.call()];
      expect(calls.filter((id) => id === "a")).toEqual([]);
      await fresh.settle();
    },
  );
});

import { env } from "cloudflare:workers";
import {
  evictAllDurableObjects,
  evictDurableObject,
  reset,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { healthOf } from "../../durable-objects/env.ts";
import type { Endpoint } from "../../shared/engine/endpoint.ts";
import { serviceKey } from "../../shared/engine/snapshot.ts";
import { apply, endpoint, exec, refTo, registry, service, stub as mesh, valueOf } from "./registry-kit.ts";

const SERVICE = "shop/cart";

const stub = () => env.HEALTH.getByName(SERVICE);

/** Hosts that fail; all others answer 200. */
let failing = new Set<string>();
/** What was asked, in order. */
let probes: string[] = [];

beforeEach(() => {
  failing = new Set();
  probes = [];
  for (const method of ["log", "warn", "error"] as const) vi.spyOn(console, method).mockReturnValue();
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input) => answer(input as Request));
});

afterEach(async () => {
  // `reset` forgets objects that are evicted, and so leaves their storage to the next test.
  await registry().status();
  await alarmAt();
  vi.restoreAllMocks();
  await reset();
});

async function answer(request: Request): Promise<Response> {
  const [host = ""] = new URL(request.url).hostname.split(".");
  probes.push(host);
  return new Response(null, { status: failing.has(host) ? 500 : 200 });
}

function policy(healthCheck: object = {}, more: object = {}) {
  const spec = { targetRefs: [{ kind: "Service", name: "cart" }], healthCheck, ...more };
  return {
    apiVersion: "selvedge.dev/v1",
    kind: "TrafficPolicy",
    metadata: { name: "cart", namespace: "shop" },
    spec,
  };
}

const NAMES = ["a", "b", "c"];

/** A service with endpoints and a policy; done when each has been probed once. */
async function start(healthCheck: object = {}, names: readonly string[] = NAMES): Promise<void> {
  valueOf(
    await apply([service("cart"), ...names.map((name) => endpoint(name, "cart")), policy(healthCheck)]),
  );
  await ordered(names.length);
}

/** Waits until the health object has its order and has probed what is new. Alarms that are due go off by themselves, too. */
async function ordered(count: number): Promise<void> {
  await runDurableObjectAlarm(mesh());
  await vi.waitUntil(async () => {
    const { all, open } = await runInDurableObject(stub(), (_, state) =>
      state.storage.sql
        .exec<{ all: number; open: number }>(
          `SELECT count(*) AS "all", count(*) FILTER (WHERE is_probed = 0) AS open FROM targets`,
        )
        .one(),
    );
    return all === count && open === 0;
  });
  await idle();
}

/** Waits until nothing more is due. */
const idle = () =>
  vi.waitUntil(async () => ((await alarmAt()) ?? Infinity) > Date.now() + 500, { timeout: 5_000 });

const alarmAt = () => runInDurableObject(stub(), (_, state) => state.storage.getAlarm());

const sql = (statement: string) =>
  runInDurableObject(stub(), (_, state) => [...state.storage.sql.exec(statement)]);

/** Begins the next round at once, on an object that starts from storage. */
async function round(): Promise<void> {
  await evictAllDurableObjects();
  await sql("UPDATE checks SET next_at = 1");
  await runDurableObjectAlarm(stub());
}

async function health(): Promise<string> {
  const [found] = await registry().services("shop");
  return (found?.endpoints ?? [])
    .map(({ id, health: state }) => `${id} ${state}`)
    .sort()
    .join(", ");
}

/** An endpoint as hosts are told of it. */
async function told(id: string): Promise<Endpoint | undefined> {
  const { units } = await registry().sync({ version: 0, held: [], wanted: [serviceKey(SERVICE)] });
  const [, unit] = units[0] ?? [];
  return unit?.kind === "service" ? unit.endpoints.find((one) => one.id === id) : undefined;
}

/** The health object refuses orders, as it would with a full disk. */
const breakHealth = () =>
  sql("CREATE TRIGGER broken BEFORE INSERT ON checks BEGIN SELECT RAISE(ABORT, 'broken'); END");

const ALL_WELL = "a healthy, b healthy, c healthy";
const B_ILL = "a healthy, b unhealthy, c healthy";

describe("rounds", () => {
  test("a failing endpoint is out after three failures and back after two successes", async () => {
    await start();
    failing.add("b");
    const seen: string[] = [];
    for (let index = 0; index < 4; index += 1) {
      await round();
      seen.push(await health());
    }
    failing.delete("b");
    for (let index = 0; index < 3; index += 1) {
      await round();
      await evictAllDurableObjects();
      seen.push(await health());
    }
    expect(seen).toEqual([ALL_WELL, ALL_WELL, B_ILL, B_ILL, B_ILL, ALL_WELL, ALL_WELL]);
  });

  test("hosts are told, and since when it is back where there is a slow start", async () => {
    await start({ unhealthyThreshold: 1, healthyThreshold: 1 });
    await apply([policy({ unhealthyThreshold: 1, healthyThreshold: 1 }, { slowStart: { window: "1m" } })]);
    await ordered(3);
    failing.add("b");
    await round();
    expect(await told("b")).toMatchObject({ health: "unhealthy" });
    failing.clear();
    const before = Date.now();
    await round();
    const back = await told("b");
    expect(back?.health).toBe("healthy");
    expect(back?.since).toBeGreaterThanOrEqual(before);
  });

  test("a round asks everybody once, and the registry hears nothing while nothing changes", async () => {
    await start();
    const version = (await registry().status()).version;
    probes = [];
    await round();
    await round();
    expect(probes.join("")).toBe("abcabc");
    expect((await registry().status()).version).toBe(version);
  });

  test("an alarm that runs twice, or early, asks nobody again", async () => {
    await start();
    await round();
    probes = [];
    await evictDurableObject(stub());
    expect(await runDurableObjectAlarm(stub())).toBe(true);
    expect(await runDurableObjectAlarm(stub())).toBe(true);
    expect(probes).toEqual([]);
  });

  test("six are asked at a time, all of twenty, over several alarms if need be", async () => {
    const names = Array.from({ length: 20 }, (_, index) => `e${String(index).padStart(2, "0")}`);
    await start({}, names);
    let open = 0;
    let most = 0;
    vi.mocked(globalThis.fetch).mockImplementation(async (input) => {
      open += 1;
      most = Math.max(most, open);
      await Promise.resolve();
      open -= 1;
      return answer(input as Request);
    });
    probes = [];
    await round();
    await idle();
    expect(probes.toSorted()).toEqual(names);
    expect(most).toBe(6);
  });

  test("after an instance that died in a round the next goes on with the batch that was under way", async () => {
    const names = Array.from({ length: 8 }, (_, index) => `e${index}`);
    await start({}, names);
    const { promise: stuck, resolve: release } = Promise.withResolvers<void>();
    vi.mocked(globalThis.fetch).mockImplementation(async (input) => {
      if ((input as Request).url.includes("e7")) await stuck;
      return answer(input as Request);
    });
    probes = [];
    await sql("UPDATE checks SET next_at = 1");
    const dying = runDurableObjectAlarm(stub()).catch(() => undefined);
    await vi.waitUntil(() => probes.includes("e6"));
    const [row] = await sql("SELECT cursor FROM checks");
    expect(row).toEqual({ cursor: "e5" });
    expect(await alarmAt()).not.toBeNull();
    await runInDurableObject(stub(), (_, state) => state.abort("killed by the test")).catch(() => undefined);
    await dying;
    release();
    probes = [];
    await runDurableObjectAlarm(stub());
    expect(probes).toEqual(["e6", "e7"]);
  });

  test("with all failing all are told as they are, and somebody is warned", async () => {
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    await start({ unhealthyThreshold: 1 });
    for (const name of NAMES) failing.add(name);
    await round();
    expect(await health()).toBe("a unhealthy, b unhealthy, c unhealthy");
    expect(warn.mock.calls.flat()).toContain(
      "health: 3 of 3 checked endpoints of shop/cart are unhealthy: look at what they share",
    );
  });

  test("an answer to a check that was changed meanwhile counts for nothing", async () => {
    await start({ unhealthyThreshold: 1 });
    const { promise: stuck, resolve: release } = Promise.withResolvers<void>();
    const asked = vi.fn<() => void>();
    vi.mocked(globalThis.fetch).mockImplementation(async (input) => {
      asked();
      if (new URL((input as Request).url).pathname === "/") await stuck;
      const isOld = new URL((input as Request).url).pathname === "/";
      return new Response(null, { status: isOld ? 500 : 200 });
    });
    await sql("UPDATE checks SET next_at = 1");
    const running = runDurableObjectAlarm(stub());
    await vi.waitUntil(() => asked.mock.calls.length >= 3);
    await apply([policy({ unhealthyThreshold: 1, path: "/new" })]);
    await runDurableObjectAlarm(mesh());
    await vi.waitUntil(async () =>
      String((await sql("SELECT body FROM checks"))[0]?.["body"]).includes("/new"),
    );
    release();
    await running;
    expect(await health()).toBe(ALL_WELL);
  });
});

describe("what is checked", () => {
  test("endpoints that register, as long as they are there; a lease and a check must both be well", async () => {
    await start({ unhealthyThreshold: 1 }, ["a"]);
    const registration = {
      id: "r",
      address: "https://r.example",
      labels: {},
      weight: 1,
      serviceAccount: null,
      isJoined: false,
      ttlMs: 60_000,
    };
    failing.add("r");
    valueOf(await healthOf(env, SERVICE).register(SERVICE, registration));
    await ordered(2);
    expect(await health()).toBe("a healthy, r unhealthy");
    failing.clear();
    await round();
    await round();
    expect(await health()).toBe("a healthy, r healthy");
    await healthOf(env, SERVICE).drain(SERVICE, "r");
    expect(await health()).toBe("a healthy, r draining");
    await healthOf(env, SERVICE).deregister(SERVICE, "r");
    await ordered(1);
    expect(await health()).toBe("a healthy");
  });

  test("an endpoint that is new is not trusted before its first success where the check says so", async () => {
    failing.add("b");
    await start({ initialState: "Unhealthy" });
    expect(await health()).toBe(B_ILL);
    failing.clear();
    await round();
    expect(await health()).toBe(ALL_WELL);
  });

  test("an endpoint with another address begins anew", async () => {
    await start({ unhealthyThreshold: 1 });
    failing.add("b");
    await round();
    expect(await health()).toBe(B_ILL);
    await apply([endpoint("b", "cart", "https://moved.example")]);
    await runDurableObjectAlarm(mesh());
    await vi.waitUntil(() => probes.at(-1) === "moved");
    await vi.waitUntil(async () => (await health()) === ALL_WELL);
  });

  test("nothing any more when the policy is gone, and what it found is forgotten", async () => {
    await start({ unhealthyThreshold: 1 });
    failing.add("b");
    await round();
    await registry().remove(
      [{ ...refTo(service("cart")), apiVersion: "selvedge.dev/v1", kind: "TrafficPolicy" }],
      "ada",
    );
    expect(await health()).toBe(ALL_WELL);
    await runDurableObjectAlarm(mesh());
    await vi.waitUntil(async () => (await alarmAt()) === null);
    expect(await exec("SELECT service FROM check_orders")).toEqual([]);
    await apply([policy({ unhealthyThreshold: 5 })]);
    await ordered(3);
    expect(await health()).toBe(ALL_WELL);
  });
});

describe("orders", () => {
  test("one that cannot be delivered is kept and sent again, through evictions", async () => {
    await breakHealth();
    await apply([service("cart"), endpoint("a", "cart"), policy()]);
    await runDurableObjectAlarm(mesh());
    await vi.waitUntil(
      async () => Number((await exec("SELECT attempts FROM check_orders"))[0]?.["attempts"]) > 0,
    );
    await evictAllDurableObjects();
    await sql("DROP TRIGGER broken");
    await exec("UPDATE check_orders SET due_at = 1");
    await ordered(1);
    expect(probes).toEqual(["a"]);
  });

  test("tries grow from one second to one minute apart", async () => {
    await breakHealth();
    await apply([service("cart"), endpoint("a", "cart"), policy()]);
    await runDurableObjectAlarm(mesh());
    await vi.waitUntil(
      async () => Number((await exec("SELECT attempts FROM check_orders"))[0]?.["attempts"]) > 0,
    );
    const waits: number[] = [];
    for (let attempts = 1; attempts <= 8; attempts += 1) {
      await exec(`UPDATE check_orders SET due_at = 1, attempts = ${attempts}`);
      await runDurableObjectAlarm(mesh());
      const [row] = await exec("SELECT due_at FROM check_orders");
      waits.push(Math.round((Number(row?.["due_at"]) - Date.now()) / 1_000));
    }
    expect(waits).toEqual([2, 4, 8, 16, 32, 60, 60, 60]);
  });

  test("one follows from the change that it belongs to: both are stored, or neither", async () => {
    await apply([service("cart"), endpoint("a", "cart")]);
    await exec(
      "CREATE TRIGGER broken BEFORE INSERT ON check_orders BEGIN SELECT RAISE(ABORT, 'broken'); END",
    );
    await expect(Promise.resolve(apply([policy()]))).rejects.toThrow("broken");
    expect((await registry().status()).revision).toBe(1);
    await exec("DROP TRIGGER broken");
    await evictAllDurableObjects();
    await apply([policy()]);
    await ordered(1);
  });

  test("a registry that dies right after the apply has left an alarm that sends it", async () => {
    await apply([service("cart"), endpoint("a", "cart")]);
    const dying = runInDurableObject(mesh(), async (object, state) => {
      await object.apply({ documents: [policy()], author: "ada" });
      await state.storage.sync();
      state.abort("killed by the test");
    });
    await dying.catch(() => undefined);
    await ordered(1);
    expect(probes).toEqual(["a"]);
  });

  test("an older order changes nothing", async () => {
    await start();
    await healthOf(env, SERVICE).configure(SERVICE, { sequence: 1, plan: null });
    probes = [];
    await round();
    expect(probes).toEqual(NAMES);
  });

  test("a lost alarm of the health object is set again when the registry repeats itself", async () => {
    await start();
    await runInDurableObject(stub(), (_, state) => state.storage.deleteAlarm());
    await evictAllDurableObjects();
    await exec("UPDATE check_orders SET due_at = 1");
    await runDurableObjectAlarm(mesh());
    expect(await alarmAt()).not.toBeNull();
    const [row] = await exec("SELECT due_at FROM check_orders");
    expect(Number(row?.["due_at"])).toBeGreaterThan(Date.now() + 500_000);
  });

  test("a lost alarm of the registry is set again when it starts", async () => {
    await start();
    await runInDurableObject(mesh(), (_, state) => state.storage.deleteAlarm());
    await evictDurableObject(mesh());
    await registry().status();
    expect(await runInDurableObject(mesh(), (_, state) => state.storage.getAlarm())).not.toBeNull();
  });

  test("a health object that has lost its storage takes back what it no longer knows", async () => {
    await start({ unhealthyThreshold: 1 });
    failing.add("b");
    await round();
    expect(await health()).toBe(B_ILL);
    failing.clear();
    await sql("DELETE FROM checks; DELETE FROM targets; DELETE FROM publication");
    await evictAllDurableObjects();
    await exec("UPDATE check_orders SET due_at = 1");
    await ordered(3);
    expect(await health()).toBe(ALL_WELL);
  });
});

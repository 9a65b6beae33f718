import { env } from "cloudflare:workers";
import { evictDurableObject, reset, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { healthOf, registryOf } from "../../durable-objects/env.ts";
import type { Registration } from "../../shared/wire/rpc.ts";

const SERVICE = "shop/cart";

const MANY_LABELS = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`label-${i}`, "value"]));

afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

const stub = () => env.HEALTH.getByName(SERVICE);
const registry = () => env.REGISTRY.getByName("mesh");
const health = () => healthOf(env, SERVICE);

function registration(id: string, overrides: Partial<Registration> = {}): Registration {
  return {
    id,
    address: `https://${id}.example`,
    labels: { version: "v1" },
    weight: 1,
    serviceAccount: null,
    isJoined: false,
    ttlMs: 30_000,
    ...overrides,
  };
}

const register = (id: string, overrides: Partial<Registration> = {}) =>
  health().register(SERVICE, registration(id, overrides));

/** What the registry holds of the service, straight from its storage. */
async function told(): Promise<{ sequence: number; endpoints: string[] } | null> {
  return runInDurableObject(registry(), (_, state) => {
    const [row] = state.storage.sql.exec<{ sequence: number; body: string }>(
      "SELECT sequence, body FROM published WHERE topic = 'endpoints' AND service = ?",
      SERVICE,
    );
    if (row === undefined) return null;
    const endpoints: { id: string; health: string }[] = JSON.parse(row.body);
    return { sequence: row.sequence, endpoints: endpoints.map(({ id, health }) => `${id} ${health}`) };
  });
}

/** When the registry was told that the endpoints began. */
async function ages(): Promise<number[]> {
  return runInDurableObject(registry(), (_, state) => {
    const { body } = state.storage.sql
      .exec<{ body: string }>("SELECT body FROM published WHERE topic = 'endpoints' AND service = ?", SERVICE)
      .one();
    return (JSON.parse(body) as { since: number }[]).map(({ since }) => since);
  });
}

const endpoints = async () => (await told())?.endpoints;

const exec = (statement: string) =>
  runInDurableObject(stub(), (_, state) => void state.storage.sql.exec(statement));

/** Lets time pass for stored leases: as if their last beat had been long ago. */
const expire = (where = "true") => exec(`UPDATE leases SET expires_at = expires_at - 40000 WHERE ${where}`);

/** The registry refuses to store publications, as it would with a full disk. */
const breakRegistry = () =>
  runInDurableObject(registry(), (_, state) => {
    state.storage.sql.exec(
      "CREATE TRIGGER broken BEFORE INSERT ON published BEGIN SELECT RAISE(ABORT, 'broken'); END",
    );
  });

const mendRegistry = () =>
  runInDurableObject(registry(), (_, state) => void state.storage.sql.exec("DROP TRIGGER broken"));

const alarmAt = () => runInDurableObject(stub(), (_, state) => state.storage.getAlarm());

/** Kills the instance where it stands. */
async function abortOf(object: DurableObjectStub): Promise<void> {
  const dying = runInDurableObject(object, (_, state) => state.abort("killed by the test"));
  await dying.catch(() => undefined);
}

describe("leases", () => {
  test("a registration is told to the registry and survives eviction", async () => {
    const before = Date.now();
    const answer = await register("a");
    expect(answer).toEqual({
      ok: true,
      value: { id: "a", expiresAt: expect.any(Number), heartbeatEveryMs: 10_000, isChanged: true },
    });
    await evictDurableObject(stub());
    const [lease] = await health().leases(SERVICE);
    expect(lease?.expiresAt).toBeGreaterThanOrEqual(before + 30_000);
    expect(await endpoints()).toEqual(["a healthy"]);
  });

  test("a beat renews and tells the registry nothing", async () => {
    await register("a");
    await exec("UPDATE leases SET expires_at = 1");
    const sequence = (await told())?.sequence;
    await evictDurableObject(stub());
    const beat = await health().heartbeat(SERVICE, "a");
    expect(beat).toMatchObject({ ok: true, value: { id: "a", isChanged: false } });
    expect((await health().leases(SERVICE))[0]?.expiresAt).toBeGreaterThan(Date.now() + 20_000);
    await runDurableObjectAlarm(stub());
    expect(await told()).toEqual({ sequence, endpoints: ["a healthy"] });
  });

  test("a beat without a lease tells to register again", async () => {
    expect(await health().heartbeat(SERVICE, "ghost")).toEqual({
      ok: false,
      problem: { code: "resource.not_found", detail: expect.stringContaining("Register it again") },
    });
    expect(await health().deregister(SERVICE, "ghost")).toMatchObject({
      ok: false,
      problem: { code: "resource.not_found" },
    });
  });

  test("registering again is one endpoint; only a change is a transition", async () => {
    await register("a");
    const first = await told();
    await evictDurableObject(stub());
    await register("a", { ttlMs: 60_000 });
    expect(await told()).toEqual(first);
    await register("a", { address: "https://elsewhere.example" });
    const second = await told();
    expect(second?.endpoints).toEqual(["a healthy"]);
    expect(second?.sequence).toBeGreaterThan(first?.sequence ?? Infinity);
  });

  test("an endpoint is as old as its first registration, until its lease is gone", async () => {
    await register("a");
    await exec("UPDATE leases SET since = 1000");
    await health().heartbeat(SERVICE, "a");
    await evictDurableObject(stub());
    await register("a", { weight: 2 });
    expect(await ages()).toEqual([1000]);
    await health().deregister(SERVICE, "a");
    const before = Date.now();
    await register("a");
    expect((await ages())[0]).toBeGreaterThanOrEqual(before);
  });

  test("deregistering takes the endpoint out at once", async () => {
    await register("a");
    await register("b");
    await evictDurableObject(stub());
    expect(await health().deregister(SERVICE, "a")).toEqual({ ok: true, value: null });
    await evictDurableObject(stub());
    expect((await health().leases(SERVICE)).map(({ id }) => id)).toEqual(["b"]);
    expect(await endpoints()).toEqual(["b healthy"]);
  });

  test("a drained endpoint beats on and gets no new calls until it registers anew", async () => {
    await register("a");
    await evictDurableObject(stub());
    expect(await health().drain(SERVICE, "a")).toMatchObject({ ok: true, value: { id: "a" } });
    const drained = await told();
    expect(drained?.endpoints).toEqual(["a draining"]);
    await evictDurableObject(stub());
    expect(await health().heartbeat(SERVICE, "a")).toMatchObject({ ok: true });
    await health().drain(SERVICE, "a");
    expect(await told()).toEqual(drained);
    await evictDurableObject(stub());
    await register("a");
    expect(await endpoints()).toEqual(["a healthy"]);
  });

  test("only what has registered can be drained", async () => {
    expect(await health().drain(SERVICE, "ghost")).toMatchObject({
      ok: false,
      problem: { code: "resource.not_found" },
    });
  });

  test("fifty endpoints that register at once are all told, in few publications", async () => {
    await runInDurableObject(registry(), (_, state) => {
      state.storage.sql.exec(`CREATE TABLE tellings (sequence INTEGER);
        CREATE TRIGGER count_tellings AFTER INSERT ON published BEGIN
          INSERT INTO tellings VALUES (new.sequence); END`);
    });
    const names = Array.from({ length: 50 }, (_, index) => `e${index}`);
    await Promise.all(names.map((id) => register(id)));
    expect(await endpoints()).toEqual(names.map((id) => `${id} healthy`).sort());
    const { tellings } = await runInDurableObject(registry(), (_, state) =>
      state.storage.sql.exec<{ tellings: number }>("SELECT count(*) AS tellings FROM tellings").one(),
    );
    expect(tellings).toBeLessThan(25);
  });

  test("a service has at most 1,000 registered endpoints", async () => {
    await exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
      INSERT INTO leases SELECT 'x' || i, '{}', 9e15, 0, 0, 0 FROM n`);
    expect(await register("a")).toMatchObject({ ok: false, problem: { code: "config.conflict" } });
  });
});

describe("validation", () => {
  test("every invalid field is told and nothing is stored", async () => {
    const answer = await health().register(
      "Shop",
      registration("Not A Name", { address: "ftp://a.example", weight: 0, ttlMs: 4_999 }),
    );
    expect(answer).toMatchObject({ ok: false, problem: { code: "config.invalid" } });
    const fields = answer.ok ? [] : (answer.problem.fields ?? []);
    expect(fields.map(({ path }) => path).sort()).toEqual(["address", "id", "service", "ttlMs", "weight"]);
    expect(await health().leases(SERVICE)).toEqual([]);
    expect(await told()).toBeNull();
  });

  test.each([
    ["a loopback address", "address", { address: "https://127.0.0.1" }],
    ["a file", "address", { address: "file:///etc/passwd" }],
    ["a lease that is too long", "ttlMs", { ttlMs: 3_600_001 }],
    ["a lease of half a millisecond", "ttlMs", { ttlMs: 5_000.5 }],
    ["a lease that is no number", "ttlMs", { ttlMs: Number.NaN }],
    ["too many labels", "labels", { labels: MANY_LABELS }],
  ])("%s is refused", async (_name, path, overrides) => {
    const answer = await register("a", overrides);
    expect(answer).toMatchObject({ ok: false, problem: { code: "config.invalid", fields: [{ path }] } });
  });

  test("the limits themselves are accepted", async () => {
    expect(await register("a", { ttlMs: 5_000 })).toMatchObject({ ok: true });
    expect(await register("b", { ttlMs: 3_600_000 })).toMatchObject({ ok: true });
  });
});

describe("expiry", () => {
  test("a lease without beats lapses by alarm", async () => {
    await register("a");
    await register("b");
    await expire("id = 'a'");
    await evictDurableObject(stub());
    expect(await runDurableObjectAlarm(stub())).toBe(true);
    expect(await endpoints()).toEqual(["b healthy"]);
    expect(await health().heartbeat(SERVICE, "a")).toMatchObject({ ok: false });
  });

  test("the alarm stands at the earliest end", async () => {
    const leases = await Promise.all([register("a", { ttlMs: 60_000 }), register("b", { ttlMs: 5_000 })]);
    const ends = leases.map((lease) => (lease.ok ? lease.value.expiresAt : Infinity));
    expect(await alarmAt()).toBe(Math.min(...ends));
  });

  test("no leases, no alarm", async () => {
    await register("a");
    await health().deregister(SERVICE, "a");
    expect(await alarmAt()).toBeNull();
  });

  test.each<[string, (storage: DurableObjectStorage) => Promise<void>]>([
    ["lost", (storage) => storage.deleteAlarm()],
    ["late", (storage) => storage.setAlarm(Date.now() + 3_600_000)],
  ])("a %s alarm is set again by whoever comes", async (_name, disturb) => {
    await register("a");
    await register("b");
    const [a] = await health().leases(SERVICE);
    for (const visit of [
      () => health().heartbeat(SERVICE, "b"),
      () => health().heartbeat(SERVICE, "ghost"),
      () => health().leases(SERVICE),
      () => register("b"),
    ]) {
      await runInDurableObject(stub(), (_, state) => disturb(state.storage));
      await evictDurableObject(stub());
      await visit();
      expect(await alarmAt()).toBe(a?.expiresAt);
    }
  });

  test("an alarm that runs twice, or early, does nothing more", async () => {
    await register("a");
    await register("b");
    await expire("id = 'a'");
    await runDurableObjectAlarm(stub());
    const after = await told();
    await evictDurableObject(stub());
    expect(await runDurableObjectAlarm(stub())).toBe(true);
    expect(await runDurableObjectAlarm(stub())).toBe(true);
    expect(await told()).toEqual(after);
  });

  test("when most fall silent at once they are doubted first and gone a term later", async () => {
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    for (const id of ["a", "b", "c", "d"]) await register(id);
    await expire("id <> 'd'");
    await runDurableObjectAlarm(stub());
    expect(warn.mock.calls).toEqual([[expect.stringContaining("most endpoints of shop/cart are silent")]]);
    expect(await endpoints()).toEqual(["a unhealthy", "b unhealthy", "c unhealthy", "d healthy"]);

    await evictDurableObject(stub());
    await health().heartbeat(SERVICE, "a");
    expect(await endpoints()).toEqual(["a healthy", "b unhealthy", "c unhealthy", "d healthy"]);

    await expire("id IN ('b', 'c')");
    await evictDurableObject(stub());
    await runDurableObjectAlarm(stub());
    expect(await endpoints()).toEqual(["a healthy", "d healthy"]);
  });
});

describe("when something fails", () => {
  // Failures are logged; these are meant.
  beforeEach(() => {
    vi.spyOn(console, "warn").mockReturnValue();
    vi.spyOn(console, "error").mockReturnValue();
  });

  test("registering succeeds without the registry and the alarm tells it later", async () => {
    await breakRegistry();
    expect(await register("a")).toMatchObject({ ok: true });
    expect(await told()).toBeNull();
    await evictDurableObject(stub());
    await mendRegistry();
    await runDurableObjectAlarm(stub());
    expect(await endpoints()).toEqual(["a healthy"]);
  });

  test("tries grow from one second to one minute apart, and a success forgets them", async () => {
    await register("a");
    await breakRegistry();
    await register("b");
    const waits: number[] = [];
    for (let index = 0; index < 8; index += 1) {
      const retryAt = await runInDurableObject(stub(), (_, state) => {
        const row = state.storage.sql.exec<{ retry_at: number }>("SELECT retry_at FROM publication").one();
        return row.retry_at;
      });
      waits.push(Math.round((retryAt - Date.now()) / 1_000));
      await evictDurableObject(stub());
      await runDurableObjectAlarm(stub());
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);

    await mendRegistry();
    await runDurableObjectAlarm(stub());
    expect(await endpoints()).toEqual(["a healthy", "b healthy"]);
    const row = await runInDurableObject(stub(), (_, state) =>
      state.storage.sql.exec("SELECT attempts, published = sequence AS is_told FROM publication").one(),
    );
    expect(row).toEqual({ attempts: 0, is_told: 1 });
  });

  test("an instance that dies while it publishes has left an alarm that goes on", async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const blocked = runInDurableObject(registry(), (_, state) => state.blockConcurrencyWhile(() => gate));
    const registering = register("a").then(
      () => "answered",
      () => "died",
    );
    await vi.waitUntil(async () => (await alarmAt()) !== null);
    await abortOf(stub());
    expect(await registering).toBe("died");
    open();
    await blocked;
    expect(await told()).toBeNull();
    expect(await runDurableObjectAlarm(stub())).toBe(true);
    expect(await endpoints()).toEqual(["a healthy"]);
  });

  test("transitions are told after the clock has stepped back", async () => {
    await register("a");
    const ahead = Date.now() + 3_600_000;
    await exec(`UPDATE publication SET sequence = ${ahead}, published = ${ahead}`);
    await runInDurableObject(registry(), (_, state) => {
      state.storage.sql.exec("UPDATE published SET sequence = ?", ahead);
    });
    await evictDurableObject(stub());
    await register("b");
    expect(await told()).toEqual({ sequence: ahead + 1, endpoints: ["a healthy", "b healthy"] });
  });

  test("transitions are told after the object has lost its storage", async () => {
    await register("a");
    await register("b");
    await exec("DELETE FROM publication; DELETE FROM leases");
    await evictDurableObject(stub());
    await register("c");
    expect(await endpoints()).toEqual(["c healthy"]);
  });

  test("a transition that was not told is told later, even when the alarm was lost too", async () => {
    await register("a");
    await exec("UPDATE publication SET sequence = sequence + 1, retry_at = 1");
    await runInDurableObject(stub(), (_, state) => state.storage.deleteAlarm());
    await evictDurableObject(stub());
    const before = await told();
    await health().leases(SERVICE);
    await runDurableObjectAlarm(stub());
    const after = await told();
    expect(after?.endpoints).toEqual(before?.endpoints);
    expect(after?.sequence).toBeGreaterThan(before?.sequence ?? Infinity);
  });

  test("an alarm handler that fails leaves the next alarm standing", async () => {
    await register("a");
    await exec("CREATE TRIGGER broken BEFORE DELETE ON leases BEGIN SELECT RAISE(ABORT, 'broken'); END");
    await expire();
    expect(await runDurableObjectAlarm(stub())).toBe(true);
    expect(await alarmAt()).not.toBeNull();
    expect(await endpoints()).toEqual(["a healthy"]);
    await exec("DROP TRIGGER broken");
    await evictDurableObject(stub());
    await runDurableObjectAlarm(stub());
    expect(await endpoints()).toEqual([]);
  });
});

test("a lease that lapses leaves the service's endpoints as hosts see them", async () => {
  const documents = [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "cart", namespace: "shop" },
      spec: { ports: [{ port: 80 }] },
    },
  ];
  await registryOf(env).apply({ documents, author: "test" });
  await register("a");
  const [service] = await registryOf(env).services("shop");
  expect(service?.endpoints.map(({ id, source }) => [id, source])).toEqual([["a", "registered"]]);
  await expire();
  await runDurableObjectAlarm(stub());
  const [after] = await registryOf(env).services("shop");
  expect(after?.endpoints).toEqual([]);
});

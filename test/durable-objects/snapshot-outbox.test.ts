import { reset, runInDurableObject } from "cloudflare:test";
import { afterEach, expect, test, vi } from "vitest";
import { HEAD, nameOf, parseHead, parseUnit, sealOf } from "../../durable-objects/snapshot-entry.ts";
import type { Env } from "../../durable-objects/env.ts";
import { UnitStore } from "../../durable-objects/unit-store.ts";
import { serviceKey, type UnitKey } from "../../shared/engine/snapshot.ts";
import { apply, exec, refTo, registry, service, stub } from "./registry-kit.ts";
import { deliver, kv, makeDue, signing, status, storeAll } from "./snapshot-kit.ts";

afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

const key = (name: string): UnitKey => serviceKey(`shop/${name}`);

async function opened(name: string, entry: string): Promise<string | null> {
  const text = await kv().get(entry);
  const seal = await sealOf(signing);
  return text === null || seal === null ? null : seal.open(name, text);
}

async function stored(unitKey: UnitKey) {
  const body = await opened(unitKey, await nameOf(unitKey));
  return body === null ? null : parseUnit(body);
}

async function head() {
  const body = await opened(HEAD, HEAD);
  return body === null ? null : parseHead(body);
}

async function unit(unitKey: UnitKey): Promise<unknown> {
  const answer = await registry().sync({ version: 0, held: [], wanted: [unitKey] });
  return answer.units[0]?.[1];
}

/** Bindings whose store fails at some of its writes. */
function failing(fails: (count: number) => boolean): { readonly env: Env; writes(): number } {
  let count = 0;
  const store = new Proxy(kv(), {
    get: (target, name) =>
      name === "put"
        ? async (...args: Parameters<KVNamespace["put"]>) => {
            count += 1;
            if (fails(count)) throw new Error("429 Too Many Requests");
            await target.put(...args);
          }
        : Reflect.get(target, name),
  });
  return { env: { ...signing, SNAPSHOTS: store }, writes: () => count };
}

/** Tombstones that are left when those up to a version may go. */
const tombstonesAfter = (settled: number) =>
  runInDurableObject(stub(), (_, { storage }) => {
    new UnitStore(storage.sql).write([], settled);
    return storage.sql.exec("SELECT count(*) AS count FROM units WHERE body IS NULL").one()["count"];
  });

test("every unit is stored with the version of its last change, and the head says so", async () => {
  await apply([service("a"), service("b")]);
  await apply([service("b", 81)]);
  await deliver();

  expect(await stored(key("a"))).toEqual({ version: 2, unit: await unit(key("a")) });
  expect(await stored(key("b"))).toEqual({ version: 3, unit: await unit(key("b")) });
  expect(await head()).toEqual({ version: 3, at: expect.any(Number) });
  expect(await status()).toEqual({ kind: "on", version: 3, checkedAt: expect.any(Number), failures: 0 });
});

test("only what has changed is stored again, and not at once", async () => {
  await apply([service("a"), service("b")]);
  await deliver();
  await kv().delete(await nameOf(key("a")));
  await apply([service("b", 81)]);
  await deliver();
  const early = await stored(key("b"));
  await makeDue();
  await deliver();

  expect(early?.version).toBe(2);
  expect([await stored(key("a")), (await stored(key("b")))?.version]).toEqual([null, 3]);
});

test("a service that was removed stays removed", async () => {
  await apply([service("a")]);
  await deliver();
  await registry().remove([refTo(service("a"))], "ada");
  await storeAll();

  expect(await stored(key("a"))).toEqual({ version: 3, unit: null });
});

test("many units are stored a few at a time, and the head waits for all of them", async () => {
  await apply(Array.from({ length: 100 }, (_, index) => service(`s${index}`)));
  const { env, writes } = failing(() => false);
  await deliver(env);
  const first = [writes(), await head(), (await status(env)).kind === "on" && (await status(env))];
  await deliver(env);
  await deliver(env);

  expect(first).toEqual([40, null, { kind: "on", version: 1, checkedAt: 0, failures: 0 }]);
  expect([writes(), (await head())?.version]).toEqual([102, 2]);
  expect(await stored(key("s99"))).toEqual({ version: 2, unit: await unit(key("s99")) });
});

test.each([1, 5, 40, 41, 60, 102])(
  "a store that fails at write %i gets everything all the same",
  async (at) => {
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    await apply(Array.from({ length: 100 }, (_, index) => service(`s${index}`)));
    const { env } = failing((count) => count === at);
    for (let run = 0; run < 4; run += 1) {
      await makeDue();
      await deliver(env);
    }

    const all = await Promise.all(Array.from({ length: 100 }, (_, index) => stored(key(`s${index}`))));
    expect(all.filter((entry) => entry?.version !== 2)).toEqual([]);
    expect([(await head())?.version, warn.mock.calls.length]).toEqual([2, 1]);
  },
);

test("failures are told, and tried again later each time", async () => {
  vi.spyOn(console, "warn").mockReturnValue();
  const { env, writes } = failing(() => true);
  await deliver(env);
  await deliver(env);
  const once = writes();
  const dues: number[] = [];
  for (let run = 0; run < 7; run += 1) {
    await makeDue();
    await deliver(env);
    const [row] = await exec(
      "SELECT json_extract(value, '$.dueAt') AS due FROM facts WHERE name = 'snapshot_outbox'",
    );
    dues.push(Math.round((Number(row?.["due"]) - Date.now()) / 1_000));
  }

  expect([once, dues]).toEqual([1, [4, 8, 16, 32, 60, 60, 60]]);
  expect(await status(env)).toEqual({ kind: "on", version: 0, checkedAt: 0, failures: 8 });
});

test("a new secret stores everything anew", async () => {
  await apply([service("a")]);
  await deliver();
  const changed = { ...signing, SELVEDGE_ADMIN_TOKEN_SHA256: "6".repeat(64) };
  await makeDue();
  await deliver(changed);

  expect(await stored(key("a"))).toBeNull();
  const text = (await kv().get(await nameOf(key("a")))) ?? "";
  expect(await (await sealOf(changed))?.open(key("a"), text)).toContain('"version":2');
});

test.each<[string, string, Env]>([
  ["a namespace", "no-namespace", withoutNamespace()],
  ["the secret", "no-secret", { ...signing, SELVEDGE_ADMIN_TOKEN_SHA256: "" }],
])("without %s nothing is stored, and the status says why", async (_, why, env) => {
  await apply([service("a")]);
  await deliver(env);

  expect([await status(env), (await kv().list()).keys]).toEqual([{ kind: "off", why }, []]);
});

test("tombstones are not forgotten before they are stored", async () => {
  await exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= 10001)
    INSERT INTO units SELECT 'service:old/' || i, 2, NULL FROM n`);

  expect([await tombstonesAfter(1), await tombstonesAfter(2)]).toEqual([10_002, 0]);
});

function withoutNamespace(): Env {
  const { SNAPSHOTS: _store, ...rest } = signing;
  return rest;
}

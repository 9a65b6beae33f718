import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { replayOf } from "../../durable-objects/env.ts";
import type { ReplayApi, SpendRequest, Spent } from "../../shared/wire/rpc.ts";

const AUDIENCE = "spiffe://mesh.test";
const LIFE_MS = 300_000;
/** How long after its end a token is believed by clocks that are behind. */
const SKEW_MS = 30_000;

let tests = 0;
let name = "";

beforeEach(() => {
  name = `${AUDIENCE}#${(tests += 1)}`;
  vi.useFakeTimers({ toFake: ["Date"] });
});

afterEach(() => {
  vi.useRealTimers();
});

const stub = () => env.REPLAY.getByName(name);
/** By the contract, which the platform's type of a stub is not. */
const object = (): ReplayApi => stub() as unknown as ReplayApi;
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
const alarmAt = () => runInDurableObject(stub(), (_, state) => state.storage.getAlarm());

async function spend(change: Partial<SpendRequest> = {}): Promise<Spent["kind"]> {
  const request = { audience: AUDIENCE, id: "t-1", expiresAt: Date.now() + LIFE_MS, ...change };
  return (await object().spend(request)).kind;
}

function sql(query: string, ...bindings: readonly unknown[]): Promise<unknown[]> {
  return runInDurableObject(stub(), (_, state) => state.storage.sql.exec(query, ...bindings).toArray());
}

const times = (kinds: readonly string[], kind: string) => kinds.filter((each) => each === kind).length;

test("of fifty that spend one token at once, one is first", async () => {
  const expiresAt = Date.now() + LIFE_MS;
  const kinds = await Promise.all(Array.from({ length: 50 }, () => spend({ expiresAt })));

  expect([times(kinds, "spent"), times(kinds, "replayed")]).toEqual([1, 49]);
});

test("inside one instance, too, and with the tokens of others between", async () => {
  const kinds = await runInDurableObject(stub(), (instance) =>
    Promise.all(
      Array.from({ length: 60 }, async (_, at) => {
        const request = { audience: AUDIENCE, id: `t-${at % 3}`, expiresAt: Date.now() + LIFE_MS };
        return (await instance.spend(request)).kind;
      }),
    ),
  );

  expect([times(kinds, "spent"), times(kinds, "replayed")]).toEqual([3, 57]);
});

test("an eviction between any two calls makes no token good again", async () => {
  const kinds: string[] = [];
  for (let call = 0; call < 20; call++) {
    kinds.push(await spend({ id: `t-${call % 10}` }));
    await evictDurableObject(stub());
  }

  expect([times(kinds.slice(0, 10), "spent"), times(kinds.slice(10), "replayed")]).toEqual([10, 10]);
});

test.each<[string, Partial<SpendRequest>]>([
  ["another id", { id: "t-2" }],
  ["the same id for another audience", { audience: "spiffe://mesh.test/ns/shop/sa/web" }],
])("%s is another token", async (_what, change) => {
  expect([await spend(), await spend(change), await spend()]).toEqual(["spent", "spent", "replayed"]);
});

test("a token is remembered for as long as any clock believes in it, and never good again", async () => {
  const expiresAt = Date.now() + LIFE_MS;
  const at: string[] = [];
  for (const ms of [0, LIFE_MS, SKEW_MS - 1, 1, 60_000]) {
    pass(ms);
    await runDurableObjectAlarm(stub());
    at.push(await spend({ expiresAt }));
  }

  expect(at).toEqual(["spent", "replayed", "replayed", "replayed", "replayed"]);
  expect(await sql("SELECT * FROM spent")).toEqual([]);
});

test("an alarm forgets what has run out, and goes on while something is left", async () => {
  await spend({ id: "short", expiresAt: Date.now() + 10_000 });
  await spend({ id: "long" });
  const armed = (await alarmAt()) ?? 0;
  expect(armed - Date.now()).toBe(60_000);
  pass(60_000);
  await runDurableObjectAlarm(stub());
  expect([(await sql("SELECT * FROM spent")).length, await alarmAt()]).toEqual([1, Date.now() + 60_000]);
  pass(LIFE_MS);
  await runDurableObjectAlarm(stub());
  expect([await sql("SELECT * FROM spent"), await alarmAt()]).toEqual([[], null]);
});

test("an alarm that was lost is set again by the next call", async () => {
  await spend();
  await runInDurableObject(stub(), (_, state) => state.storage.deleteAlarm());
  expect(await spend()).toBe("replayed");
  expect(await alarmAt()).not.toBeNull();
});

/** Leaves no room beside one token, until a time is over. */
async function fillUp(forMs: number): Promise<void> {
  await sql(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)
     INSERT INTO spent SELECT CAST(i AS BLOB), ? FROM n`,
    Date.now() + forMs,
  );
  await evictDurableObject(stub());
}

test("what there is no room for is not let through, until something has run out", async () => {
  await spend({ id: "known" });
  await fillUp(1_000);

  expect([await spend({ id: "new" }), await spend({ id: "known" })]).toEqual(["full", "replayed"]);
  pass(1_000);
  expect([await spend({ id: "new" }), await spend({ id: "known" })]).toEqual(["spent", "replayed"]);
});

test("while there is no room, it is looked for once a second at most", async () => {
  await spend({ id: "known" });
  await fillUp(500);
  expect(await spend({ id: "new" })).toBe("full");
  pass(999);
  expect(await spend({ id: "new" })).toBe("full");
  pass(1);
  expect(await spend({ id: "new" })).toBe("spent");
});

test.each<[string, Partial<SpendRequest>]>([
  ["no id", { id: "" }],
  ["an id that is too long", { id: "x".repeat(129) }],
  ["an end that is no number", { expiresAt: Number.NaN }],
  ["an end that no token has", { expiresAt: Date.now() + 2 * 3_600_000 }],
  ["no end", { expiresAt: Number.POSITIVE_INFINITY }],
])("refuses to keep %s", async (_what, change) => {
  const refusal = await runInDurableObject(stub(), async (instance) => {
    const request = { audience: AUDIENCE, id: "t-1", expiresAt: Date.now() + LIFE_MS, ...change };
    return instance.spend(request).then(String, (error: unknown) => (error as Error).name);
  });
  expect(refusal).toBe("TypeError");
  expect(await sql("SELECT * FROM spent")).toEqual([]);
});

test("an id is always asked for at the same object, and audiences have objects of their own", async () => {
  const request = { audience: AUDIENCE, id: "shared", expiresAt: Date.now() + LIFE_MS };
  const spendAt = async (audience: string, id: string) =>
    (await replayOf(env, audience, id).spend({ ...request, audience, id })).kind;

  expect([
    await spendAt(AUDIENCE, "shared"),
    await spendAt(AUDIENCE, "shared"),
    await spendAt(`${AUDIENCE}/ns/shop/sa/web`, "shared"),
  ]).toEqual(["spent", "replayed", "spent"]);
});

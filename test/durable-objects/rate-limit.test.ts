import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as limit from "../../shared/engine/limit.ts";
import type { Ask, Held } from "../../shared/engine/limit-lease.ts";
import type { LeaseRequest, RateLimitApi, TakeRequest } from "../../shared/wire/rpc.ts";

/** Ten calls a second, twenty at once. */
const RATE: limit.Rate = { requests: 10, perMs: 1000, burst: 20 };
const REQUEST: TakeRequest = { policy: "shop/limit", key: "caller alice", rate: RATE, cost: 1 };

let tests = 0;
let name = "";

beforeEach(() => {
  name = `shop/limit#${(tests += 1)}`;
  vi.useFakeTimers({ toFake: ["Date"] });
});

afterEach(() => {
  vi.useRealTimers();
});

const stub = () => env.RATE_LIMIT.getByName(name);
/** By the contract: the platform's type of a stub makes arrays of tuples. */
const object = (): RateLimitApi => stub() as unknown as RateLimitApi;
const take = (change: Partial<TakeRequest> = {}) => object().take({ ...REQUEST, ...change });
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
const alarmAt = () => runInDurableObject(stub(), (_, state) => state.storage.getAlarm());

function rows(query: string): Promise<unknown[]> {
  return runInDurableObject(stub(), (_, state) => state.storage.sql.exec(query).toArray());
}

describe("take", () => {
  test("fifty callers at once get the burst, to the call", async () => {
    const taken = await Promise.all(Array.from({ length: 50 }, () => take()));
    expect(taken.filter(({ isAdmitted }) => isAdmitted)).toHaveLength(20);
    expect(await take()).toEqual({
      isAdmitted: false,
      remaining: 0,
      retryAfterMs: expect.any(Number),
      resetMs: expect.any(Number),
    });
  });

  test("fifty inside one instance too", async () => {
    const taken = await runInDurableObject(stub(), (instance) =>
      Promise.all(Array.from({ length: 50 }, () => instance.take(REQUEST))),
    );
    expect(taken.filter(({ isAdmitted }) => isAdmitted)).toHaveLength(20);
  });

  test("an eviction between any two calls gives nothing back", async () => {
    let tat: number | undefined;
    for (let call = 0; call < 60; call += 1) {
      const expected = limit.take(tat, RATE, 1, Date.now());
      const { tat: after, ...answer } = expected;
      expect(await take()).toEqual(answer);
      tat = after;
      await evictDurableObject(stub());
      pass(call % 7);
    }
    // Of 61 calls in 174 ms the burst and at most two more.
    const { isAdmitted } = limit.take(tat, RATE, 1, Date.now());
    expect(await take()).toMatchObject({ isAdmitted, remaining: 0 });
    pass(200);
    expect(await take({ cost: 2 })).toMatchObject({ isAdmitted: true });
  });

  test("a cost is charged whole or not at all", async () => {
    expect(await take({ cost: 19 })).toMatchObject({ isAdmitted: true, remaining: 1, retryAfterMs: 0 });
    expect(await take({ cost: 2 })).toMatchObject({ isAdmitted: false, remaining: 1 });
    expect(await take({ cost: 1 })).toMatchObject({ isAdmitted: true, remaining: 0, retryAfterMs: 0 });
  });

  test.each([
    ["another key", { key: "caller bob" }],
    ["another policy", { policy: "shop/other" }],
    ["another rate, which a host might make up", { rate: { requests: 1, perMs: 1, burst: 20 } }],
    ["the same letters cut elsewhere", { policy: "shop/limitcaller", key: " alice" }],
  ])("%s has a bucket of its own", async (_name, change) => {
    await take({ cost: 20 });
    expect(await take(change)).toMatchObject({ isAdmitted: true, remaining: 19, retryAfterMs: 0 });
  });

  test("what clients sent is not stored", async () => {
    await take({ key: "header authorization 12:Bearer hush!" });
    expect(await rows("SELECT * FROM buckets")).toEqual([
      { key: expect.stringMatching(/^[0-9a-f]{64}$/), tat: expect.any(Number) },
    ]);
  });

  test.each([
    ["no requests", { rate: { ...RATE, requests: 0 } }],
    ["a period that is not a number", { rate: { ...RATE, perMs: Number.NaN } }],
    ["an infinite burst", { rate: { ...RATE, burst: Infinity } }],
    ["a negative cost", { cost: -1 }],
    ["a cost that is not a number", { cost: Number.NaN }],
    ["an infinite cost", { cost: Infinity }],
  ])("%s is an error and stores nothing", async (_name, change) => {
    await runInDurableObject(stub(), async (instance) => {
      await expect(instance.take({ ...REQUEST, ...change })).rejects.toThrow(TypeError);
    });
    expect(await rows("SELECT * FROM buckets")).toEqual([]);
  });
});

describe("lease", () => {
  const WIDE: limit.Rate = { requests: 10, perMs: 1000, burst: 20 };
  const lease = (wanted: Ask, change: Partial<LeaseRequest> = {}) =>
    object().lease({ policy: "shop/limit", key: "caller alice", rate: WIDE, ask: wanted, ...change });

  test("twenty isolates at once get the burst, and no slot twice", async () => {
    const grants = await Promise.all(Array.from({ length: 20 }, () => lease(ask(3))));
    const slots = grants.flatMap(({ slots }) => slots.flatMap(numbers));
    expect([slots.length, new Set(slots).size]).toEqual([20, 20]);
    expect((await lease(ask(1))).slots).toEqual([]);
  });

  test("an eviction between grant and use, and between any two calls, gives nothing away", async () => {
    vi.setSystemTime(Date.UTC(2026, 10, 24, 12));
    const owners = new Map<number, number>();
    for (let call = 0; call < 40; call += 1) {
      const { slots } = await lease(ask(2));
      for (const slot of slots.flatMap(numbers)) {
        expect(owners.has(slot)).toBe(false);
        owners.set(slot, call);
      }
      await evictDurableObject(stub());
      pass(50);
    }
    // The burst, and what came back in the 1,950 ms after the first call.
    expect(owners.size).toBe(20 + 19);
  });

  test("takes back what was granted, after an eviction too, and only once", async () => {
    const { id, slots } = await lease(ask(20));
    await evictDurableObject(stub());
    expect((await lease(ask(0, { id, slots }))).slots).toEqual([]);
    await evictDurableObject(stub());
    const again = await lease(ask(20, { id, slots }));
    expect(again.slots.flatMap(numbers)).toEqual(slots.flatMap(numbers));
    expect((await lease(ask(1, { id, slots }))).slots).toEqual([]);
  });

  test("a name that was not granted gives nothing back", async () => {
    const { slots } = await lease(ask(20));
    expect((await lease(ask(20, { id: "guessed", slots }))).slots).toEqual([]);
  });

  test.each([
    ["another key", { key: "caller bob" }],
    ["another rate, which a host might make up", { rate: { ...WIDE, burst: 19 } }],
  ])("%s has slots of its own", async (_name, change) => {
    await lease(ask(20));
    expect((await lease(ask(19), change)).slots.flatMap(numbers)).toHaveLength(19);
    expect((await lease(ask(1))).slots).toEqual([]);
  });

  test("the alarm forgets what is free again, and nothing else", async () => {
    await lease(ask(20), { rate: { requests: 1, perMs: 60_000, burst: 20 } });
    await lease(ask(20));
    pass(60_000);
    await runDurableObjectAlarm(stub());
    expect(await rows("SELECT * FROM pools")).toHaveLength(1);
    pass(20 * 60_000);
    await runDurableObjectAlarm(stub());
    expect(await rows("SELECT * FROM pools")).toEqual([]);
    expect(await alarmAt()).toBeNull();
  });

  test.each<[string, Ask, Partial<LeaseRequest>?]>([
    ["a number of calls that is none", ask(Number.NaN)],
    ["fewer calls than none", ask(-1)],
    ["a rate that is none", ask(1), { rate: { ...WIDE, perMs: 0 } }],
    ["a thousand ranges", ask(1, { id: "a", slots: Array.from({ length: 1000 }, () => [1, 2] as const) })],
  ])("%s is an error and stores nothing", async (_name, wanted, change = {}) => {
    await runInDurableObject(stub(), async (instance) => {
      const request = { policy: "shop/limit", key: "a", rate: WIDE, ask: wanted, ...change };
      await expect(instance.lease(request)).rejects.toThrow(TypeError);
    });
    expect(await rows("SELECT * FROM pools")).toEqual([]);
  });
});

function ask(calls: number, returned?: Held): Ask {
  return returned === undefined ? { calls, withinMs: 0 } : { calls, withinMs: 0, returned };
}

function numbers([from, to]: readonly [number, number]): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}

describe("buckets", () => {
  test("the alarm forgets what is full again, and comes back while something is not", async () => {
    const slow = { key: "slow", rate: { requests: 1, perMs: 90_000, burst: 3 }, cost: 3 };
    await take();
    await take(slow);
    expect(await alarmAt()).toBe(Date.now() + 60_000);
    await evictDurableObject(stub());
    pass(60_000);
    await runDurableObjectAlarm(stub());
    expect(await rows("SELECT * FROM buckets")).toHaveLength(1);
    expect(await alarmAt()).toBe(Date.now() + 60_000);
    expect(await take(slow)).toMatchObject({ isAdmitted: false });

    pass(210_000);
    await runDurableObjectAlarm(stub());
    expect(await rows("SELECT * FROM buckets")).toEqual([]);
    expect(await alarmAt()).toBeNull();
  });

  test("a lost alarm is set again by the next call", async () => {
    await take();
    await runInDurableObject(stub(), (_, state) => state.storage.deleteAlarm());
    pass(1);
    await take();
    expect(await alarmAt()).toBe(Date.now() + 60_000);
  });

  test("beyond 100,000 keys new ones share a bucket; known ones keep theirs, and pruning makes room", async () => {
    await take({ cost: 5 });
    await take({ key: "caller bob", cost: 5 });
    await runInDurableObject(stub(), (_, state) => {
      state.storage.sql.exec(
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99997)
         INSERT INTO buckets SELECT 'filler-' || i, ? FROM n`,
        Date.now() + 1000,
      );
    });
    await evictDurableObject(stub());
    expect(await take({ key: "last" })).toMatchObject({ remaining: 19 });
    expect(await take({ key: "new" })).toMatchObject({ remaining: 19 });
    expect(await take({ key: "newer" })).toMatchObject({ remaining: 18 });
    expect(await take()).toMatchObject({ remaining: 14 });
    expect(await take({ key: "last" })).toMatchObject({ remaining: 18 });

    pass(60_000);
    await runDurableObjectAlarm(stub());
    expect(await take({ key: "newer" })).toMatchObject({ remaining: 19 });
    expect(await take({ key: "newest" })).toMatchObject({ remaining: 19 });
  });
});

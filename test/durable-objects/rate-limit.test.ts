import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as limit from "../../shared/engine/limit.ts";
import type { RateLimitApi, TakeRequest } from "../../shared/wire/rpc.ts";

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
const object = (): RateLimitApi => stub();
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
    expect(await take()).toEqual({ isAdmitted: false, remaining: 0, retryAfterMs: expect.any(Number) });
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
      const { isAdmitted, remaining, retryAfterMs } = expected;
      expect(await take()).toEqual({ isAdmitted, remaining, retryAfterMs });
      ({ tat } = expected);
      await evictDurableObject(stub());
      pass(call % 7);
    }
    expect(await take()).toMatchObject({ isAdmitted: false });
    pass(200);
    expect(await take({ cost: 2 })).toMatchObject({ isAdmitted: true });
  });

  test("a cost is charged whole or not at all", async () => {
    expect(await take({ cost: 19 })).toEqual({ isAdmitted: true, remaining: 1, retryAfterMs: 0 });
    expect(await take({ cost: 2 })).toMatchObject({ isAdmitted: false, remaining: 1 });
    expect(await take({ cost: 1 })).toEqual({ isAdmitted: true, remaining: 0, retryAfterMs: 0 });
  });

  test.each([
    ["another key", { key: "caller bob" }],
    ["another policy", { policy: "shop/other" }],
    ["the same letters cut elsewhere", { policy: "shop/limitcaller", key: " alice" }],
  ])("%s has a bucket of its own", async (_name, change) => {
    await take({ cost: 20 });
    expect(await take(change)).toEqual({ isAdmitted: true, remaining: 19, retryAfterMs: 0 });
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

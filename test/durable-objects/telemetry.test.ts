import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { CallReport } from "../../shared/wire/call-record.ts";
import type { TelemetryApi } from "../../shared/wire/telemetry-rpc.ts";
import { LABELS, report, series } from "./telemetry-kit.ts";
import { NO_COUNTS } from "../fakes/counts.ts";

const MINUTE = 60_000;

let tests = 0;
let name = "";

/** Tests begin in the first millisecond of a minute yet to come, so that no alarm comes by itself. */
beforeEach(() => {
  name = `telemetry-${(tests += 1)}`;
  vi.useFakeTimers({ toFake: ["Date"], now: Math.ceil(Date.now() / MINUTE + 1) * MINUTE });
});

afterEach(() => {
  vi.useRealTimers();
});

const stub = () => env.TELEMETRY.getByName(name);
const object = (): TelemetryApi => stub();
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
const alarmAt = () => runInDurableObject(stub(), (_, state) => state.storage.getAlarm());

/** A report, after which the object loses its memory. */
async function send(each: CallReport): Promise<void> {
  await object().report(each);
  await evictDurableObject(stub());
}

const told = (sequence: number, reporter: string, version: number, isCurrent: boolean): CallReport => ({
  ...report(sequence, [], {}, reporter),
  view: { version, isCurrent },
});

function rows(query: string): Promise<unknown[]> {
  return runInDurableObject(stub(), (_, state) => state.storage.sql.exec(query).toArray());
}

describe("totals", () => {
  test("reports of all hosts add up, across evictions", async () => {
    await send(report(1, [series({}, 3), series({ method: "POST" }, 1)], { syncs: 1, retries: 2 }));
    await send(report(2, [series({}, 4, 5)], { syncs: 1 }));
    await send(report(1, [series({}, 5)], { staleCalls: 7 }, "host-2"));
    const buckets = [0, 0, 0, 8, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0];
    expect(await object().totals()).toEqual({
      series: [
        { labels: LABELS, count: 12, sumMs: 3 * 10 + 4 * 50 + 5 * 10, buckets },
        series({ method: "POST" }, 1),
      ],
      host: { ...NO_COUNTS, syncs: 2, retries: 2, staleCalls: 7 },
    });
    expect(await rows("SELECT * FROM began")).toHaveLength(1);
  });

  test("labels name the same series in whatever order they come", async () => {
    const { source, ...rest } = LABELS;
    await send(report(1, [series({}, 1), { ...series({}, 2), labels: { ...rest, source } }]));
    expect((await object().totals()).series).toEqual([series({}, 3)]);
  });

  test.each([
    ["a report sent again", [1, 1], 1],
    ["one sent again after a later one", [1, 2, 1], 2],
    ["an older one that comes late", [2, 1], 1],
  ])("%s does not count", async (_name, sequences, count) => {
    for (const sequence of sequences) await send(report(sequence, [series({}, 1)], { syncs: 1 }));
    expect(await object().totals()).toEqual({
      series: [series({}, count)],
      host: { ...NO_COUNTS, syncs: count },
    });
    expect((await object().topology()).edges).toMatchObject([{ requestsPerSecond: count }]);
  });

  test("fifty hosts at once all count", async () => {
    await Promise.all(
      Array.from({ length: 50 }, (_, host) =>
        object().report(report(1, [series({}, 2)], {}, `host-${host}`)),
      ),
    );
    expect((await object().totals()).series).toEqual([series({}, 100)]);
  });

  test("a report counts whole or not at all", async () => {
    await send(report(1, [series({}, 1)]));
    await runInDurableObject(stub(), async (instance, state) => {
      state.storage.sql.exec(
        "CREATE TRIGGER full BEFORE INSERT ON host BEGIN SELECT RAISE(ABORT, 'full'); END",
      );
      await expect(instance.report(report(2, [series({}, 1)], { syncs: 1 }))).rejects.toThrow("full");
      state.storage.sql.exec("DROP TRIGGER full");
    });
    expect((await object().totals()).series).toEqual([series({}, 1)]);
    await send(report(2, [series({}, 1)], { syncs: 1 }));
    expect(await object().totals()).toEqual({ series: [series({}, 2)], host: { ...NO_COUNTS, syncs: 1 } });
  });

  test("what makes no sense is left out, the rest of the report counts", async () => {
    await send(
      report(1, [{ ...series({}, 1), count: 2 }, series({ method: "POST" }, 1)], { syncs: -5, retries: 1 }),
    );
    await send(report(Number.NaN, [series({}, 1)]));
    expect(await object().totals()).toEqual({
      series: [series({ method: "POST" }, 1)],
      host: { ...NO_COUNTS, retries: 1 },
    });
  });

  test("beyond 10,000 series new ones fall together, known ones still count", async () => {
    for (let batch = 0; batch < 3; batch += 1) {
      const all = Array.from({ length: 3333 }, (_, index) => series({ route: `${batch}/${index}` }, 1));
      await send(report(batch + 1, all));
    }
    const tail = ["last", "over", "more"].map((route) => series({ route }, 1));
    await send(report(4, [...tail, series({ route: "0/0", statusClass: "2xx" }, 1)], { overflowedCalls: 1 }));
    await send(report(5, [series({ route: "new", statusClass: "5xx" }, 1), series({ route: "last" }, 1)]));
    const { series: all, host } = await object().totals();
    expect(all).toHaveLength(10_002);
    expect(host).toEqual({ ...NO_COUNTS, overflowedCalls: 1 + 2 + 1 });
    const other = { source: "other", destination: "other", version: "", route: "other", method: "OTHER" };
    expect(all.filter(({ labels }) => ["0/0", "last", "other"].includes(labels.route))).toEqual([
      series({ ...other, statusClass: "2xx" }, 2),
      series({ ...other, statusClass: "5xx" }, 1),
      series({ route: "0/0" }, 2),
      series({ route: "last" }, 2),
    ]);
  });
});

describe("topology", () => {
  const EDGE = { source: "shop/web", destination: "shop/reviews", version: "v1", p50Ms: 7.5, p99Ms: 9.95 };

  test("rates begin with the first report, and cover five minutes at most", async () => {
    expect(await object().topology()).toEqual({ windowMs: 1000, nodes: [], edges: [] });
    await send(report(1, [series({}, 60), series({ statusClass: "5xx" }, 20)]));
    expect((await object().topology()).windowMs).toBe(1000);
    pass(40_000);
    expect(await object().topology()).toEqual({
      windowMs: 40_000,
      nodes: ["shop/reviews", "shop/web"],
      edges: [{ ...EDGE, requestsPerSecond: 2, successRatio: 0.75 }],
    });

    pass(4 * MINUTE);
    await send(report(2, [series({}, 200)]));
    expect(await object().topology()).toMatchObject({
      windowMs: 4 * MINUTE + 40_000,
      edges: [{ requestsPerSecond: 1, successRatio: 260 / 280 }],
    });
    pass(20_000);
    expect(await object().topology()).toMatchObject({
      windowMs: 4 * MINUTE,
      edges: [{ ...EDGE, requestsPerSecond: 200 / 240, successRatio: 1 }],
    });
    pass(4 * MINUTE - 1);
    expect((await object().topology()).edges).toHaveLength(1);
    pass(1);
    expect((await object().topology()).edges).toEqual([]);
    expect((await object().totals()).series).toHaveLength(2);
  });

  test("a window that a clock ahead has written is not drawn before its time", async () => {
    pass(60 * MINUTE);
    await send(report(1, [series({}, 1)]));
    pass(-60 * MINUTE);
    expect((await object().topology()).edges).toEqual([]);
  });

  test("beyond 25,000 windows new edges fall together", async () => {
    await send(report(1, [series({}, 1)]));
    await runInDurableObject(stub(), (_, state) => {
      state.storage.sql.exec(
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 24998)
         INSERT INTO edges SELECT 0, 'filler/' || i, 'shop/x', '', 1, 0, '[]' FROM n`,
      );
    });
    const sources = ["shop/last", "shop/over", "shop/more", "shop/web"];
    await send(
      report(
        2,
        sources.map((source) => series({ source }, 1)),
      ),
    );
    expect((await object().topology()).edges).toMatchObject([
      { source: "other", destination: "other", version: "", requestsPerSecond: 2 },
      { source: "shop/last", requestsPerSecond: 1 },
      { source: "shop/web", requestsPerSecond: 2 },
    ]);
  });
});

describe("isolates", () => {
  test("are counted by what they told last, for a minute", async () => {
    const none = await object().isolates();
    await send(told(1, "a", 5, false));
    await send(told(2, "a", 7, true));
    await send(told(1, "a", 3, false));
    await send(told(1, "b", 6, false));
    await send(report(1, [], {}, "of the release before"));
    const all = await object().isolates();
    pass(MINUTE - 1);
    await send(told(3, "a", 7, true));
    const still = await object().isolates();
    pass(1);

    expect(none).toEqual({ current: 0, stale: 0, oldestVersion: null });
    expect(all).toEqual({ current: 1, stale: 1, oldestVersion: 6 });
    expect(still).toEqual(all);
    expect(await object().isolates()).toEqual({ current: 1, stale: 0, oldestVersion: 7 });
  });

  test.each([
    { version: -1, isCurrent: true },
    { version: 1.5, isCurrent: true },
    { version: 1, isCurrent: "yes" as never },
  ])("that tell nonsense (%o) are not counted", async (view) => {
    await send({ ...report(1, [series({}, 1)]), view });

    expect(await object().isolates()).toEqual({ current: 0, stale: 0, oldestVersion: null });
    expect((await object().totals()).series).toEqual([series({}, 1)]);
  });
});

describe("pruning", () => {
  test("the alarm drops windows after five minutes and silent hosts after ten, then rests", async () => {
    await send(report(1, [series({}, 1)]));
    expect(await alarmAt()).toBe(Date.now() + MINUTE);
    pass(4 * MINUTE);
    await runDurableObjectAlarm(stub());
    expect(await rows("SELECT minute FROM edges")).toHaveLength(1);
    await evictDurableObject(stub());
    pass(MINUTE);
    await runDurableObjectAlarm(stub());
    expect(await rows("SELECT minute FROM edges")).toEqual([]);
    expect(await alarmAt()).toBe(Date.now() + MINUTE);

    pass(5 * MINUTE - 1);
    await send(report(1, [series({}, 1)]));
    await runDurableObjectAlarm(stub());
    expect(await rows("SELECT reporter FROM reporters")).toHaveLength(1);
    expect((await object().totals()).series).toEqual([series({}, 1)]);
    pass(1);
    await runDurableObjectAlarm(stub());
    expect(await rows("SELECT reporter FROM reporters")).toEqual([]);
    expect(await alarmAt()).toBeNull();
  });

  test("of more than 10,000 hosts the longest silent are forgotten", async () => {
    await runInDurableObject(stub(), (_, state) => {
      state.storage.sql.exec(
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001)
         INSERT INTO reporters SELECT 'host-' || i, 1, ? - i, 7, 1 FROM n`,
        Date.now(),
      );
    });
    await send(report(1, [], {}, "youngest"));
    await runDurableObjectAlarm(stub());
    const left = "SELECT count(*) AS n, min(seen_at) AS oldest FROM reporters";
    expect(await rows(left)).toEqual([{ n: 10_000, oldest: Date.now() - 9999 }]);
  });

  test("a lost alarm is set again by the next report", async () => {
    await send(report(1, []));
    await runInDurableObject(stub(), (_, state) => state.storage.deleteAlarm());
    await send(report(2, []));
    expect(await alarmAt()).toBe(Date.now() + MINUTE);
  });
});

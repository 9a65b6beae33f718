import { expect, test } from "vitest";
import * as timeout from "../../shared/engine/timeout.ts";

const ARRIVED = 1_700_000_000_000;
const HOUR = 3_600_000;

test.each<[string, timeout.Timeouts, elapsedMs: number, [left: number | null, next: number | null]]>([
  ["no limit at all", {}, HOUR, [null, null]],
  ["only a try's limit, whatever has passed", { perTryMs: 50 }, HOUR, [null, 50]],
  ["only the request's limit", { requestMs: 1000 }, 300, [700, 700]],
  ["the try's limit is less", { requestMs: 1000, perTryMs: 200 }, 300, [700, 200]],
  ["what is left is less", { requestMs: 1000, perTryMs: 200 }, 900, [100, 100]],
  ["one millisecond before the limit", { requestMs: 1000 }, 999, [1, 1]],
  ["the limit itself", { requestMs: 1000, perTryMs: 200 }, 1000, [0, 0]],
  ["an hour too late", { requestMs: 1000 }, HOUR, [0, 0]],
  ["a clock that steps back gives no more than the whole", { requestMs: 1000 }, -HOUR, [1000, 1000]],
  ["no time for the request", { requestMs: 0, perTryMs: 200 }, 0, [0, 0]],
])("%s", (_name, timeouts, elapsedMs, [left, next]) => {
  expect(timeout.remainingMs(timeouts, ARRIVED, ARRIVED + elapsedMs)).toBe(left);
  expect(timeout.tryTimeoutMs(timeouts, ARRIVED, ARRIVED + elapsedMs)).toBe(next);
});

test.each<[timeout.Timeouts, header: string | null, timeout.Timeouts]>([
  [{ requestMs: 1000 }, null, { requestMs: 1000 }],
  [{ requestMs: 1000 }, "300", { requestMs: 300 }],
  [{ requestMs: 1000, perTryMs: 500 }, "0", { requestMs: 0, perTryMs: 500 }],
  [{ requestMs: 1000 }, "1001", { requestMs: 1000 }],
  [{}, "999999999", { requestMs: 999_999_999 }],
  [{}, "-1", {}],
  [{}, "1e3", {}],
  [{}, "", {}],
  [{}, "9999999999", {}],
])("%o told %j has %o", (timeouts, header, expected) => {
  expect(timeout.withDeadline(timeouts, header)).toEqual(expected);
});

test.each([
  [null, null],
  [0, "0"],
  [12.9, "12"],
])("the next hop of a try of %j ms is told %j", (tryMs, expected) => {
  expect(timeout.deadlineHeader(tryMs)).toBe(expected);
});

import { expect, test } from "vitest";
import {
  countableHost,
  countableSeries,
  isNumbered,
  overflowLabels,
} from "../../durable-objects/telemetry-check.ts";
import { LABELS, report, series } from "./telemetry-kit.ts";

const GOOD = series({}, 2);

test.each([
  ["as hosts send it", GOOD, true],
  ["of no calls", series({}, 0), true],
  ["with a label that is no string", { ...GOOD, labels: { ...LABELS, route: 1 as never } }, false],
  ["without a label", { ...GOOD, labels: { ...LABELS, route: undefined as never } }, false],
  ["with a label of 640 characters", series({ route: "r".repeat(640) }, 2), true],
  ["with a label of 641 characters", series({ route: "r".repeat(641) }, 2), false],
  [
    "with a negative count",
    { ...series({}, 0), count: -1, buckets: [-1, ...GOOD.buckets.slice(1).fill(0)] },
    false,
  ],
  [
    "with a fraction of a call",
    { ...GOOD, count: 0.5, buckets: [0.5, ...Array.from({ length: 13 }, () => 0)] },
    false,
  ],
  ["with a count that is not a number", { ...GOOD, count: Number.NaN }, false],
  ["with an infinite sum", { ...GOOD, sumMs: Infinity }, false],
  ["with a sum that is not a number", { ...GOOD, sumMs: Number.NaN }, false],
  ["with a negative sum", { ...GOOD, sumMs: -1 }, false],
  ["with a bucket too few", { ...GOOD, buckets: GOOD.buckets.slice(0, -1) }, false],
  ["with a bucket too many", { ...GOOD, buckets: [...GOOD.buckets, 0] }, false],
  ["with buckets that do not add up", { ...GOOD, count: 3 }, false],
  ["with a negative bucket", { ...GOOD, buckets: [3, -1, ...Array.from({ length: 12 }, () => 0)] }, false],
])("a series %s", (_name, each, isCounted) => {
  expect(countableSeries(report(1, [each, GOOD]))).toEqual(isCounted ? [each, GOOD] : [GOOD]);
});

test("a report has a bounded number of series", () => {
  const many = Array.from({ length: 4001 }, (_, index) => series({ route: `r/${index}` }, 1));
  expect(countableSeries(report(1, many))).toEqual(many.slice(0, 4000));
});

test("a host's counters are taken by their names, if they make sense", () => {
  const host = {
    syncs: 2,
    retries: -1,
    staleCalls: Number.NaN,
    failedSyncs: 0.5,
    overflowedCalls: 3,
    evil: 9,
  };
  expect(countableHost(report(1, [], host))).toEqual([
    ["syncs", 2],
    ["overflowedCalls", 3],
  ]);
});

test.each([
  ["as hosts send it", report(1, []), true],
  ["with a fraction as its number", report(1.5, []), false],
  ["numbered by what is no number", report(Number.NaN, []), false],
  ["of a reporter of 384 characters", report(1, [], {}, "r".repeat(384)), true],
  ["of a reporter of 385 characters", report(1, [], {}, "r".repeat(385)), false],
])("a report %s", (_name, each, expected) => {
  expect(isNumbered(each)).toBe(expected);
});

test.each([
  ["5xx", "5xx"],
  ["2xx", "2xx"],
  ["6xx", "other"],
  ["2xx ", "other"],
])("of %s the overflow keeps %s", (statusClass, kept) => {
  expect(overflowLabels({ ...LABELS, statusClass, reason: "anything", method: "BREW" })).toEqual({
    source: "other",
    destination: "other",
    version: "",
    route: "other",
    method: "OTHER",
    statusClass: kept,
    reason: "",
  });
});

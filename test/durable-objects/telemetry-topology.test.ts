import { expect, test } from "vitest";
import { edgesOf, topologyOf } from "../../durable-objects/telemetry-topology.ts";
import { series } from "./telemetry-kit.ts";

const EDGE = { source: "shop/web", destination: "shop/reviews", version: "v1" };

test("an edge adds up routes, methods and answers; 5xx are failures", () => {
  const edges = edgesOf([
    series({}, 3),
    series({ route: "shop/other", method: "POST" }, 2, 0),
    series({ statusClass: "4xx" }, 1, 13),
    series({ statusClass: "5xx" }, 4),
    series({ version: "v2" }, 5),
  ]);
  expect(edges).toEqual([
    { ...EDGE, count: 10, failures: 4, buckets: [2, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] },
    { ...EDGE, version: "v2", count: 5, failures: 0, buckets: series({}, 5).buckets },
  ]);
});

test("a topology has rates, ratios and quantiles over its window, in order", () => {
  const windows = [
    ...edgesOf([series({ source: "shop/zoo" }, 30)]),
    ...edgesOf([series({ statusClass: "5xx" }, 15, 3), series({}, 45, 6)]),
    ...edgesOf([series({}, 60, 3)]),
  ];
  expect(topologyOf(windows, 60_000)).toEqual({
    windowMs: 60_000,
    nodes: ["shop/reviews", "shop/web", "shop/zoo"],
    edges: [
      // 75 calls in 5..10 ms, 45 in 50..100 ms: half lie below 9 ms, 99 % below 50 + 50 * (43.8 / 45) ms.
      { ...EDGE, requestsPerSecond: 2, successRatio: 0.875, p50Ms: 9, p99Ms: 50 + (50 * (118.8 - 75)) / 45 },
      { ...EDGE, source: "shop/zoo", requestsPerSecond: 0.5, successRatio: 1, p50Ms: 7.5, p99Ms: 9.95 },
    ],
  });
});

test("without calls there is nothing to draw", () => {
  expect(topologyOf([], 1000)).toEqual({ windowMs: 1000, nodes: [], edges: [] });
  expect(topologyOf(edgesOf([series({}, 0)]), 1000).edges).toEqual([
    { ...EDGE, requestsPerSecond: 0, successRatio: 1, p50Ms: 0, p99Ms: 0 },
  ]);
});

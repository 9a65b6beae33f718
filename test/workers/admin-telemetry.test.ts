import { expect, test } from "vitest";
import { telemetryOf } from "../../durable-objects/env.ts";
import { topology } from "../../shared/wire/admin.ts";
import { ask, env } from "./admin-kit.ts";
import { NO_COUNTS } from "../fakes/counts.ts";

test("topology and metrics show the calls that hosts report", async () => {
  const labels = {
    source: "shop/web",
    destination: "shop/reviews",
    version: "v1",
    route: "shop/all",
    method: "GET",
    statusClass: "2xx",
    reason: "",
  };
  const buckets = [0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  await telemetryOf(env).report({
    reporter: "r",
    sequence: 1,
    series: [{ labels, count: 4, sumMs: 32, buckets }],
    host: { ...NO_COUNTS, syncs: 1, retries: 2 },
  });

  const { edges } = topology.parse((await ask("/api/v1/topology")).body);
  expect(edges).toMatchObject([
    { source: "shop/web", destination: "shop/reviews", version: "v1", successRatio: 1 },
  ]);

  const metrics = await ask("/metrics");
  expect(metrics.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(metrics.body).toMatch(/^selvedge_requests_total\{.*status_class="2xx",reason=""\} 4$/m);
  expect(metrics.body).toMatch(/^selvedge_retries_total 2$/m);
});

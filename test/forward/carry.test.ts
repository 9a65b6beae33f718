import { expect, test } from "vitest";
import type { Priority } from "../../shared/engine/priority.ts";
import { carry } from "../../shared/forward/carry.ts";
import type { Goal } from "../../shared/forward/carry.ts";
import { reception, setUp, ok, get, codeOf } from "../fakes/loop.ts";
import { backend, routeSet, service } from "../fakes/units.ts";

test.each<[string, Goal, number, string]>([
  ["a name that is no service", { kind: "service", service: "shop/nobody" }, 421, "host.unknown"],
  ["a host that no gateway serves", { kind: "gateway" }, 421, "host.unknown"],
  ["a host that means nothing here", { kind: "unknown" }, 421, "host.unknown"],
  [
    "an endpoint that is gone",
    { kind: "endpoint", service: "shop/reviews", port: 80, endpoint: "x" },
    503,
    "endpoint.none",
  ],
])("answers for %s", async (_what, goal, status, code) => {
  const { kit } = setUp(service("reviews"), [ok]);

  expect(await codeOf(await kit.run(carry(kit.mesh, get(), reception({ goalOf: () => goal }))))).toEqual([
    status,
    code,
  ]);
});

test("an isolate that never reached the registry refuses calls and says so", async () => {
  const { kit } = setUp(service("reviews"), [ok]);
  kit.control.sync = () => Promise.reject(new Error("down"));

  const response = await kit.run(carry(kit.mesh, get(), reception()));

  expect(await codeOf(response)).toEqual([503, "control.unavailable"]);
});

test("a mistake of ours is answered without telling anything of it, and logged with the request id", async () => {
  const { kit } = setUp(service("reviews"), [ok]);
  const failing = reception({
    goalOf: () => {
      throw new Error("secret detail");
    },
  });

  const response = await kit.run(carry(kit.mesh, get(), failing));

  const body = await response.text();
  expect(response.status).toBe(500);
  expect(body).not.toContain("secret");
  expect(body.length).toBeLessThanOrEqual(512);
  expect(kit.lines).toContainEqual(
    expect.objectContaining({ event: "internal", error: expect.stringContaining("secret detail") }),
  );
});

test("reports a call once, by what decided it", async () => {
  const { kit } = setUp(service("reviews"), [ok]);

  await kit.run(carry(kit.mesh, get(), reception()));
  await kit.advance(200);

  const labels = {
    source: "shop/web",
    destination: "shop/reviews",
    version: "v1",
    route: "",
    method: "GET",
    statusClass: "2xx",
    reason: "",
  };
  expect(
    kit.calls.reports.map(({ sequence, series }) => [
      sequence,
      series.map((each) => [each.labels, each.count]),
    ]),
  ).toEqual([[1, [[labels, 1]]]]);
});

test("logs its own answers always, in one shape, without paths that fill logs", async () => {
  const { kit } = setUp(service("reviews"), [ok]);

  await kit.run(
    carry(kit.mesh, get(`/${"x".repeat(1_000)}`), reception({ goalOf: () => ({ kind: "unknown" }) })),
  );

  expect(kit.lines).toEqual([
    {
      ts: "2026-11-24T12:00:00.002Z",
      req_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      route: "",
      src: "unknown",
      dst: "unknown",
      endpoint: "",
      method: "GET",
      path: `/${"x".repeat(255)}`,
      status: 421,
      reason: "host.unknown",
      decided_by: "",
      snapshot_version: 2,
      tries: 0,
      hops: 0,
      dur_ms: 2,
    },
  ]);
});

test.each<[string, Priority | undefined, string | null, boolean, string | null]>([
  ["nothing of a call like any other", undefined, null, false, null],
  ["what the route says", "low", null, false, "low"],
  ["what an earlier host said, where the route says nothing", undefined, "high", false, "high"],
  ["what the route says, whatever an earlier host said", "low", "high", false, "low"],
  ["nothing, where the route makes it like any other again", "default", "high", false, null],
  ["nothing of what a client wishes", undefined, "high", true, null],
  ["nothing of what is no priority", undefined, "urgent", false, null],
])("tells the next hop %s", async (...[, priority, header, isFromOutside, expected]) => {
  const action = { backends: [backend("reviews")], ...(priority === undefined ? {} : { priority }) };
  const routes = [{ port: null, consumerNamespace: null, routes: routeSet(action) }];
  const { kit, sent } = setUp(service("reviews", { routes }), [ok]);
  const headers: Record<string, string> = header === null ? {} : { "x-selvedge-priority": header };

  await kit.run(carry(kit.mesh, new Request("http://reviews/", { headers }), reception({ isFromOutside })));

  expect(sent[0]?.headers.get("x-selvedge-priority")).toBe(expected);
});

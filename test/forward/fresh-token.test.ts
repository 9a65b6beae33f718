/** Callers whose callee takes a token once: each try, hedge, stand-in and copy shows one of its own. */
import { expect, test } from "vitest";
import type { OperationMatch } from "../../shared/engine/authorize.ts";
import type { InboundPolicy, ServiceUnit } from "../../shared/engine/snapshot.ts";
import { carry } from "../../shared/forward/carry.ts";
import { succeed } from "../../shared/wire/problem.ts";
import { endpoint } from "../engine/endpoints.ts";
import { ok, reception, setUp, THREE, unavailable } from "../fakes/loop.ts";
import { backend, PERMISSIVE, routeSet, service, TRAFFIC } from "../fakes/units.ts";

const exact = (value: string) => ({ kind: "exact", value }) as const;
const onceAt = (...once: OperationMatch[]): InboundPolicy => ({ ...PERMISSIVE, tokens: { once } });
const PAY = onceAt({ paths: [exact("/pay")] });

type Options = Parameters<typeof setUp>[2];

/** A caller's own library: the callee runs the inbound half. */
function caller(
  unit: Partial<ServiceUnit>,
  answers: readonly (() => Response | Promise<Response>)[] = [ok],
  options: Options = {},
) {
  const { kit, sent } = setUp(service("reviews", { inbound: [PAY], ...unit }), answers, {
    enforcesInbound: false,
    ...options,
  });
  const call = async (url: string): Promise<number> => {
    const { status } = await kit.run(carry(kit.mesh, new Request(url), reception()));
    await kit.advance(1_000);
    return status;
  };
  return { kit, call, shown: () => sent.map(({ headers }) => headers.get("x-selvedge-peer")) };
}

test("calls to such an operation show a token each, and others the one that is held", async () => {
  const { call, shown } = caller({});
  for (const path of ["/", "/pay", "/", "/pay", "/pay", "/"]) await call(`http://reviews${path}`);

  expect(shown()).toEqual(["token-1", "token-2", "token-1", "token-3", "token-4", "token-1"]);
});

test.each<[string, Partial<ServiceUnit>, (() => Response | Promise<Response>)[], Options]>([
  ["tried again", { endpoints: THREE }, [unavailable, unavailable, ok], {}],
  [
    "failed over",
    { traffic: { ...TRAFFIC, failover: [{ service: "shop/spare" }] } },
    [unavailable, ok],
    { more: { "service:shop/spare": service("spare", { endpoints: [endpoint("s")], inbound: [PAY] }) } },
  ],
  [
    "mirrored",
    {
      routes: [
        {
          port: null,
          consumerNamespace: null,
          routes: routeSet({
            filters: { mirrors: [{ service: "shop/shadow", port: 80, share: 1 }] },
            backends: [backend("reviews")],
          }),
        },
      ],
    },
    [ok],
    { more: { "service:shop/shadow": service("shadow", { endpoints: [endpoint("s")], inbound: [PAY] }) } },
  ],
])("a call that is %s never shows a token twice", async (_what, unit, answers, options) => {
  const { call, shown } = caller(unit, answers, options);
  const statuses = [await call("http://reviews/pay"), await call("http://reviews/pay")];

  expect(statuses).toEqual([200, 200]);
  expect(shown().length).toBeGreaterThan(2);
  expect(new Set(shown())).toEqual(new Set(shown().map((_, at) => `token-${at + 1}`)));
});

test("nor does one that is hedged", async () => {
  const late = (): Promise<Response> =>
    new Promise((resolve) => void setup.kit.mesh.ports.sleep(200).then(() => resolve(ok())));
  const traffic = { ...TRAFFIC, hedge: { afterMs: 50, max: 2 } };
  const setup = caller({ endpoints: THREE, traffic }, [late, late, late]);
  await setup.call("http://reviews/pay");

  expect(setup.shown()).toEqual(["token-1", "token-2", "token-3"]);
});

test.each<[string, string, OperationMatch, readonly (string | null)[]]>([
  ["the path as it is sent", "http://reviews/a", { paths: [exact("/v2/a")] }, ["token-1", "token-2"]],
  ["not the path as it came", "http://reviews/a", { paths: [exact("/a")] }, ["token-1", "token-1"]],
  ["the host as it is sent", "http://reviews/a", { hosts: [exact("inner.test")] }, ["token-1", "token-2"]],
  ["not the host as it came", "http://reviews/a", { hosts: [exact("reviews")] }, ["token-1", "token-1"]],
  ["the service's port", "http://reviews/a", { ports: [9080] }, ["token-1", "token-2"]],
  ["the port that the callee reads", "http://reviews/a", { ports: [80] }, ["token-1", "token-2"]],
  ["not another port", "http://reviews/a", { ports: [81] }, ["token-1", "token-1"]],
  ["the method", "http://reviews/a", { methods: [exact("GET")] }, ["token-1", "token-2"]],
  ["not another method", "http://reviews/a", { methods: [exact("PUT")] }, ["token-1", "token-1"]],
])("what counts is %s", async (_what, url, operation, tokens) => {
  const rewrite = { hostname: "inner.test", path: { kind: "prefix", value: "/v2" } } as const;
  const action = { filters: { rewrite }, backends: [backend("reviews", { port: 9080 })] };
  const { call, shown } = caller({
    ports: [{ name: "http", port: 9080 }],
    inbound: [onceAt(operation)],
    routes: [{ port: null, consumerNamespace: null, routes: routeSet(action) }],
  });
  await call(url);
  await call(url);

  expect(shown()).toEqual(tokens);
});

test("endpoints with policies of their own are told apart", async () => {
  const endpoints = [endpoint("a"), endpoint("b", { inbound: 1 })];
  const { call, shown } = caller({ endpoints, inbound: [PERMISSIVE, PAY] });
  for (let calls = 0; calls < 4; calls++) await call("http://reviews/pay");

  expect(shown().filter((token) => token === "token-1").length).toBe(2);
  expect(new Set(shown()).size).toBe(3);
});

test("the edge does the same for those whom it tells that it has admitted the call", async () => {
  const { call, shown } = caller({ endpoints: THREE }, [unavailable, ok], { enforcesInbound: true });

  expect([await call("http://reviews/pay"), await call("http://reviews/pay"), shown()]).toEqual([
    200,
    200,
    ["token-1", "token-2", "token-3"],
  ]);
});

test("a token that cannot be had is not replaced by one that others have shown", async () => {
  const { kit, call, shown } = caller({});
  await call("http://reviews/");
  kit.control.token = () => Promise.reject(new Error("down"));
  await call("http://reviews/pay");
  kit.control.token = async () =>
    succeed({ token: "late", id: "late", subject: "shop/web", expiresAt: kit.now() + 9 });
  await call("http://reviews/pay");

  expect(shown()).toEqual(["token-1", null, "late"]);
});

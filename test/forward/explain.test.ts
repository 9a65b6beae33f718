import { expect, test } from "vitest";
import type { Unit, UnitKey } from "../../shared/engine/snapshot.ts";
import { explain } from "../../shared/forward/explain.ts";
import { explainRequest, explanation } from "../../shared/wire/explain.ts";
import { endpoint } from "../engine/endpoints.ts";
import { compilePattern } from "../engine/routes.ts";
import {
  backend,
  directory,
  listener,
  OPEN,
  PERMISSIVE,
  routeSet,
  service,
  TRAFFIC,
  TRUST_DOMAIN,
  virtualHost,
} from "../fakes/units.ts";

const WEB = `${TRUST_DOMAIN}/ns/shop/sa/web`;

const DENY_ADMIN = {
  policy: "shop/no-admin",
  rule: 0,
  from: [],
  to: [{ paths: [{ kind: "prefix" as const, value: "/admin" }] }],
};

const UNITS: Readonly<Record<UnitKey, Unit>> = {
  directory: directory({
    listeners: [
      listener("public", { id: "shop/public/http", hostname: "*.test", domains: ["www.test"] }),
      listener("other", { id: "shop/other/http", hostname: "other.example", pathLevel: "none" }),
      listener("spare", { id: "shop/spare/alt", port: 8080, hostname: "www.test", domains: ["www.test"] }),
    ],
  }),
  "host:shop/public/http#www.test": virtualHost(
    routeSet({
      backends: [
        backend("v1", { weight: 3 }),
        backend("v2", { filters: { redirect: { statusCode: 302, hostname: "new.test" } } }),
        backend("gone", { invalid: "backend.missing", weight: 0 }),
      ],
      filters: { rewrite: { path: { kind: "prefix", value: "/new" } } },
    }),
    { deny: [DENY_ADMIN], allow: null },
  ),
  "host:shop/spare/alt#www.test": virtualHost(
    routeSet({ filters: { redirect: { statusCode: 308, hostname: "www.test", port: 80 } } }),
  ),
  "service:shop/v1": service("v1", {
    endpoints: [endpoint("a"), endpoint("b", { health: "unhealthy" }), endpoint("c", { inbound: 1 })],
    inbound: [PERMISSIVE, { peer: "strict", authorization: { ...OPEN, allow: [] }, limits: [] }],
  }),
  "service:shop/v2": service("v2", { endpoints: [] }),
  "service:shop/sticky": service("sticky", {
    routes: [
      {
        port: null,
        consumerNamespace: null,
        routes: routeSet({
          sticky: { kind: "cookie", name: "s" },
          priority: "low",
          backends: [backend("v1"), backend("v2", { subset: "blue" })],
        }),
      },
    ],
  }),
  "service:shop/backed": service("backed", {
    endpoints: [endpoint("a", { health: "unhealthy" })],
    traffic: { ...TRAFFIC, failover: [{ service: "shop/v1" }, { service: "shop/gone", subset: "blue" }] },
  }),
  "service:shop/guarded": service("guarded", {
    inbound: [{ ...PERMISSIVE, authorization: { deny: [DENY_ADMIN], allow: null } }],
  }),
  "service:shop/rewriting": service("rewriting", {
    routes: [
      {
        port: null,
        consumerNamespace: null,
        routes: routeSet({
          filters: {
            cors: {
              allowOrigins: ["https://app.test"],
              allowMethods: ["GET"],
              allowHeaders: [],
              exposeHeaders: [],
              allowCredentials: false,
              maxAgeSeconds: 5,
            },
          },
          backends: [
            backend("guarded"),
            backend("guarded", { filters: { rewrite: { path: { kind: "full", value: "/admin" } } } }),
          ],
        }),
      },
    ],
  }),
  "service:shop/routed": service("routed", {
    routes: [
      { port: null, consumerNamespace: "blue", routes: routeSet({ respond: { status: 418, body: "" } }) },
      { port: null, consumerNamespace: null, routes: routeSet({ backends: [backend("v2")] }, "/v2") },
    ],
  }),
};

const loaded: UnitKey[] = [];

async function ask(url: string, more: Readonly<Record<string, unknown>> = {}) {
  loaded.length = 0;
  const question = explainRequest.parse({ url, ...more });
  const knowledge = {
    unit: async (key: UnitKey) => {
      loaded.push(key);
      return UNITS[key] ?? null;
    },
    version: () => 7,
    meshDomain: "mesh.test",
    now: () => 0,
    compilePattern,
  };
  const told = await explain(question, knowledge);
  // What the API says of its answers is true.
  expect(explanation.parse(told)).toEqual(told);
  return told;
}

test("a call from outside: listener, rule, split, and the policies of each backend", async () => {
  expect(await ask("http://www.test/a")).toEqual({
    version: 7,
    caller: null,
    request: { method: "GET", host: "www.test", port: 80, path: "/a" },
    entrance: { kind: "listener", listener: "shop/public/http", domain: "www.test" },
    listeners: [
      { listener: "shop/public/http", port: 80, scheme: "http", hostname: "*.test", verdict: "decides" },
      { listener: "shop/spare/alt", port: 8080, scheme: "http", hostname: "www.test", verdict: "other" },
      { listener: "shop/other/http", port: 80, scheme: "http", hostname: "other.example", verdict: "host" },
    ],
    gatewayAuthorization: { isAllowed: true, by: null },
    rules: [
      {
        route: "shop/route",
        rule: "0",
        path: { kind: "prefix", value: "/" },
        method: null,
        headers: [],
        query: [],
        isForSomeCallers: false,
        verdict: "decides",
      },
    ],
    omittedRules: 0,
    priority: null,
    outcome: { kind: "forward", host: "www.test", path: "/new/a" },
    sticky: null,
    backends: [
      {
        service: "shop/v1",
        port: 80,
        subset: null,
        weight: 3,
        share: 0.75,
        invalid: null,
        redirect: null,
        endpoints: 3,
        usable: 2,
        loadBalancing: "round-robin",
        timeoutMs: null,
        retries: 2,
        policies: [
          {
            endpoints: 2,
            peer: "permissive",
            authorization: { isAllowed: true, by: null },
            limits: [],
            faults: [],
          },
          {
            endpoints: 1,
            peer: "strict",
            authorization: { isAllowed: false, by: null },
            limits: [],
            faults: [],
          },
        ],
      },
      expect.objectContaining({
        service: "shop/v2",
        share: 0.25,
        redirect: "http://new.test/a",
        endpoints: 0,
        usable: 0,
        policies: [],
      }),
      expect.objectContaining({ service: "shop/gone", share: 0, invalid: "backend.missing" }),
    ],
    faults: [],
    mirrors: [],
  });
});

test.each([
  ["a gateway that denies", "http://www.test/admin", {}, "403 authz.rule"],
  ["a host that no listener serves", "http://nowhere.example/", {}, "421 host.unknown"],
  ["a host without routes", "http://bare.test/", {}, "404 route.none"],
  ["a path that is refused", "http://www.test/a/../b", {}, "400 path.noncanonical"],
  ["a rule that redirects", "http://www.test:8080/", {}, "308 http://www.test/"],
  [
    "another address of the same host",
    "http://www.test/",
    { gateway: { namespace: "shop", name: "spare" } },
    "404 route.none",
  ],
  [
    "a gateway that is not there",
    "http://www.test/",
    { gateway: { namespace: "shop", name: "no" } },
    "421 host.unknown",
  ],
  ["a URL without path", "http://v1.shop.mesh.test?x", {}, "forwarded to shop/v1"],
  ["an unknown service", "http://nothing.shop/", { from: "shop/web" }, "421 host.unknown"],
  ["a service without routes", "http://v1/x", { from: "shop/web" }, "forwarded to shop/v1"],
  ["a service from outside", "http://v1.shop.mesh.test/x", {}, "forwarded to shop/v1"],
  ["a route of the producer", "http://routed/v2", { from: "shop/web" }, "forwarded to shop/v2"],
  ["no rule of the producer", "http://routed/v1", { from: "shop/web" }, "404 route.none"],
  ["a route of the consumer", "http://routed.shop/v1", { from: "blue/web" }, "responds 418"],
])("%s", async (_what, url, more, expected) => {
  const { outcome, backends } = await ask(url, more);

  expect(summary(outcome, backends)).toBe(expected);
});

function summary(
  outcome: Awaited<ReturnType<typeof ask>>["outcome"],
  backends: Awaited<ReturnType<typeof ask>>["backends"],
): string {
  switch (outcome.kind) {
    case "refuse":
      return `${outcome.status} ${outcome.code}`;
    case "redirect":
      return `${outcome.status} ${outcome.location}`;
    case "respond":
      return `responds ${outcome.status}`;
    case "forward":
      return `forwarded to ${backends.map(({ service }) => service).join()}`;
  }
}

test("the caller is who policies see", async () => {
  const told = await ask("http://v1/", { from: "shop/web" });

  expect(told.caller).toBe(`spiffe://${WEB}`);
  expect(told.entrance).toEqual({ kind: "service", service: "shop/v1", port: 80 });
  expect(told.backends[0]?.policies[1]).toMatchObject({
    peer: "strict",
    authorization: { isAllowed: false },
  });
});

test.each([
  ["the one that its cookie decides", { headers: [{ name: "cookie", value: "s=2" }] }, "shop/v2/blue"],
  ["the one that another cookie decides", { headers: [{ name: "cookie", value: "s=3" }] }, "shop/v1"],
  ["none when it lacks the cookie", {}, null],
])("a request to a sticky split gets %s", async (_what, more, expected) => {
  const { sticky, priority } = await ask("http://sticky/", { ...more, from: "shop/web" });

  expect([sticky, priority]).toEqual([{ by: "cookie s", backend: expected }, "low"]);
});

test("policies see the path as their backend does", async () => {
  const { backends } = await ask("http://rewriting/", { from: "shop/web" });

  expect(backends.map(({ policies }) => policies[0]?.authorization)).toEqual([
    { isAllowed: true, by: null },
    { isAllowed: false, by: "shop/no-admin[0]" },
  ]);
});

test("a preflight is answered by the route", async () => {
  const headers = [
    { name: "origin", value: "https://app.test" },
    { name: "access-control-request-method", value: "GET" },
  ];

  const told = await ask("http://rewriting/", { from: "shop/web", method: "OPTIONS", headers });

  expect(told.outcome).toEqual({ kind: "respond", status: 204 });
});

test.each([
  ["http://other.example//a///b", "//a///b"],
  ["http://www.test//a", "/a"],
  ["http://v1.shop.mesh.test/a%2fb", ""],
])("%s is read by the level of its door: %j", async (url, path) => {
  expect((await ask(url)).request.path).toBe(path);
});

test("who stands in for a service, in order", async () => {
  const { backends } = await ask("http://backed.shop.mesh.test/");
  expect(backends.map(({ usable, failover }) => ({ usable, failover }))).toEqual([
    {
      usable: 0,
      failover: [
        { service: "shop/v1", subset: null, endpoints: 3, usable: 2, isMissing: false },
        { service: "shop/gone", subset: "blue", endpoints: 0, usable: 0, isMissing: true },
      ],
    },
  ]);
});

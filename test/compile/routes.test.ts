import { describe, expect, test } from "vitest";
import type { RouteSet } from "../../shared/engine/route.ts";
import type { ServiceRoutes } from "../../shared/engine/snapshot.ts";
import { compileUnit, references } from "../../shared/compile/compile.ts";
import type { World } from "../../shared/compile/world.ts";
import { worldOf } from "./worlds.ts";

const SERVICES = `
{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: b}, spec: {ports: [{port: 80, name: x}, {port: 81, name: y}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: portless}, spec: {}}
---
{apiVersion: v1, kind: Service, metadata: {name: far, namespace: other}, spec: {ports: [{port: 80}]}}
`;

function route(name: string, parents: string, rules: string, namespace = "shop"): string {
  return `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: ${name}, namespace: ${namespace}}, spec: {parentRefs: [${parents}], rules: [${rules}]}}`;
}

const TO_A = "{kind: Service, group: '', name: a, namespace: shop}";

function meshWith(...documents: readonly string[]): World {
  return worldOf([SERVICES, ...documents].join("\n---\n"));
}

function routesOf(world: World, service = "shop/a"): readonly ServiceRoutes[] {
  const unit = compileUnit(world, `service:${service}`);
  if (unit?.kind !== "service") throw new Error("there is no such service");
  return unit.routes;
}

function onlySet(world: World): RouteSet {
  const [only, ...others] = routesOf(world);
  if (only === undefined || others.length > 0) throw new Error("there is not one set of routes");
  return only.routes;
}

test("a rule is compiled field by field", () => {
  const world = meshWith(
    route(
      "r",
      TO_A,
      `{name: main,
        matches: [
          {path: {type: Exact, value: /café}, method: POST, headers: [{name: X-Canary, value: "Yes"}], queryParams: [{name: Q, value: v}]},
          {path: {type: PathPrefix, value: /p/}}],
        filters: [
          {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-A, value: "1"}], add: [{name: X-B, value: "2"}], remove: [X-C]}},
          {type: ResponseHeaderModifier, responseHeaderModifier: {remove: [Server]}},
          {type: URLRewrite, urlRewrite: {hostname: b.test, path: {type: ReplaceFullPath, replaceFullPath: /é}}}],
        backendRefs: [
          {name: b, port: 81, weight: 9, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: V, value: "2"}]}}]},
          {name: portless, port: 1234}],
        timeouts: {request: 2s}, retry: {attempts: 1, codes: [503]}},
       {matches: [{path: {value: /old}}], filters: [{type: RequestRedirect, requestRedirect:
         {scheme: https, hostname: c.test, port: 8443, statusCode: 301, path: {type: ReplacePrefixMatch, replacePrefixMatch: ""}}}]}`,
    ),
  );
  expect(onlySet(world)).toEqual({
    entries: [
      {
        path: { kind: "exact", value: "/caf%C3%A9" },
        method: "POST",
        headers: [{ name: "x-canary", kind: "exact", value: "Yes" }],
        query: [{ name: "Q", kind: "exact", value: "v" }],
        action: 0,
      },
      { path: { kind: "prefix", value: "/old" }, headers: [], query: [], action: 1 },
      { path: { kind: "prefix", value: "/p" }, headers: [], query: [], action: 0 },
    ],
    actions: [
      {
        route: "shop/r",
        rule: "main",
        filters: {
          request: { set: [["x-a", "1"]], add: [["x-b", "2"]], remove: ["x-c"] },
          response: { set: [], add: [], remove: ["server"] },
          rewrite: { hostname: "b.test", path: { kind: "full", value: "/%C3%A9" } },
        },
        backends: [
          {
            service: "shop/b",
            port: 81,
            weight: 9,
            filters: { request: { set: [["v", "2"]], add: [], remove: [] } },
          },
          { service: "shop/portless", port: 1234, weight: 1, filters: {} },
        ],
        timeouts: { requestMs: 2000 },
        retry: {
          retries: 1,
          on: ["connect-failure", "reset", "timeout"],
          statusCodes: [503],
          headers: [],
          backoff: { baseMs: 25, maxMs: 250 },
          anyMethod: false,
          budget: { ratio: 0.2, minPerSecond: 10, windowMs: 10_000 },
        },
      },
      {
        route: "shop/r",
        rule: "1",
        filters: {
          redirect: {
            scheme: "https",
            hostname: "c.test",
            port: 8443,
            path: { kind: "prefix", value: "/" },
            statusCode: 301,
          },
        },
        backends: [],
      },
    ],
  });
});

/** The rule that each entry belongs to, as `route.rule`, in the order in which they win. */
function orderOf(...routes: readonly string[]): string[] {
  const { entries, actions } = onlySet(meshWith(...routes));
  return entries.map(
    ({ action }) => `${actions[action]?.route.replace("shop/", "")}.${actions[action]?.rule}`,
  );
}

function named(name: string, matches: string): string {
  return `{name: ${name}, matches: [${matches}]}`;
}

describe("precedence", () => {
  test("within one route: exact path, longest prefix, method, headers, query parameters, order", () => {
    expect(
      orderOf(
        route(
          "r",
          TO_A,
          [
            named("second", "{path: {value: /}}"),
            named("root", "{path: {value: /}}"),
            named("query", "{queryParams: [{name: a, value: b}]}"),
            named("headers2", "{headers: [{name: a, value: b}, {name: c, value: d}]}"),
            named("header", "{headers: [{name: a, value: b}]}"),
            named("header-query", "{headers: [{name: a, value: b}], queryParams: [{name: a, value: b}]}"),
            named("method", "{method: GET}"),
            named("prefix", "{path: {value: /abc}}"),
            named("long", "{path: {value: /abc/def}}"),
            named("exact", "{path: {type: Exact, value: /a}}"),
            named("long-method", "{path: {value: /abc/def}, method: GET}"),
          ].join(", "),
        ),
      ),
    ).toEqual([
      "r.exact",
      "r.long-method",
      "r.long",
      "r.prefix",
      "r.method",
      "r.headers2",
      "r.header-query",
      "r.header",
      "r.query",
      "r.second",
      "r.root",
    ]);
  });

  test("across routes: the match, then the older route, then the name", () => {
    const old = route("z", TO_A, named("any", "{path: {value: /}}"));
    const young = route(
      "a",
      TO_A,
      `${named("any", "{path: {value: /}}")}, ${named("long", "{path: {value: /x}}")}`,
    );
    expect(orderOf(old, young)).toEqual(["a.long", "z.any", "a.any"]);
    expect(orderOf(young, old)).toEqual(["a.long", "a.any", "z.any"]);
  });

  test("a rule without matches is for every path", () => {
    const [entry] = onlySet(meshWith(route("r", TO_A, "{}"))).entries;
    expect(entry).toEqual({ path: { kind: "prefix", value: "/" }, headers: [], query: [], action: 0 });
  });
});

test.each([
  ["{name: b, port: 80}", undefined],
  ["{name: far, namespace: other, port: 80}", undefined],
  ["{name: none, port: 80}", "backend.missing"],
  ["{name: none, namespace: other, port: 80}", "backend.missing"],
  ["{name: b, port: 82}", "backend.missing"],
  ["{name: b, kind: ServiceImport, group: multicluster.x-k8s.io, port: 80}", "backend.kind"],
  ["{name: b, kind: Other, port: 80}", "backend.kind"],
])("inside the mesh the backend %s is %s", (backend, invalid) => {
  const [action] = onlySet(meshWith(route("r", TO_A, `{backendRefs: [${backend}]}`))).actions;
  expect(action?.backends[0]?.invalid).toEqual(invalid);
});

/** Where each set is for, and the routes in it. */
function outline(world: World): unknown {
  return routesOf(world).map(({ port, consumerNamespace, routes }) => ({
    port,
    consumerNamespace,
    routes: routes.actions.map((action) => action.route),
  }));
}

function atPort(port: number): string {
  return `{kind: Service, group: '', name: a, namespace: shop, port: ${port}}`;
}

describe("routes at a Service", () => {
  test.each([
    ["none", [], []],
    ["its own", [route("r", TO_A, "{}")], [{ port: null, consumerNamespace: null, routes: ["shop/r"] }]],
    ["another service's", [route("r", "{kind: Service, group: '', name: b}", "{}")], []],
    ["a Gateway's of the same name", [route("r", "{name: a}", "{}")], []],
    [
      "a consumer's, before its own",
      [route("r", TO_A, "{}"), route("c", TO_A, "{}", "other")],
      [
        { port: null, consumerNamespace: "other", routes: ["other/c"] },
        { port: null, consumerNamespace: null, routes: ["shop/r"] },
      ],
    ],
    [
      "some for one port: that port's set has those for all, too",
      [
        route("all", TO_A, "{}"),
        route("one", atPort(80), "{}"),
        route("both", `${TO_A}, ${atPort(80)}`, "{}"),
      ],
      [
        { port: 80, consumerNamespace: null, routes: ["shop/all", "shop/one", "shop/both"] },
        { port: null, consumerNamespace: null, routes: ["shop/all", "shop/both"] },
      ],
    ],
    [
      "for ports alone",
      [route("y", atPort(81), "{}"), route("x", atPort(80), "{}")],
      [
        { port: 80, consumerNamespace: null, routes: ["shop/x"] },
        { port: 81, consumerNamespace: null, routes: ["shop/y"] },
      ],
    ],
  ])("%s", (_name, routes, expected) => {
    expect(outline(meshWith(...routes))).toEqual(expected);
  });
});

test("a unit refers to the services that its routes can use", () => {
  const world = meshWith(
    route(
      "r",
      TO_A,
      "{backendRefs: [{name: b, port: 80}, {name: b, port: 81}, {name: none, port: 80}, {name: far, namespace: other, port: 80}]}",
    ),
  );
  const [service, directory, workload] = ["service:shop/a", "directory", "service:shop/b"].map((key) => {
    const unit = compileUnit(world, key);
    return unit === null ? null : references(unit);
  });
  expect([service, directory, workload]).toEqual([["service:other/far", "service:shop/b"], [], []]);
});

import { describe, expect, test } from "vitest";
import { compileUnit, references } from "../../shared/compile/compile.ts";
import { setKeys, type World } from "../../shared/compile/world.ts";
import { worldOf } from "./worlds.ts";

function gateway(name: string, listeners: string, namespace = "shop"): string {
  return `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: ${name}, namespace: ${namespace}}, spec: {gatewayClassName: x, listeners: [${listeners}]}}`;
}

function listener(name: string, more = ""): string {
  return `{name: ${name}, port: 80, protocol: HTTP${more === "" ? "" : `, ${more}`}}`;
}

function route(name: string, parents: string, hostnames = "", namespace = "shop"): string {
  return `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: ${name}, namespace: ${namespace}}, spec: {parentRefs: [${parents}], hostnames: [${hostnames}]}}`;
}

function meshOf(...documents: readonly string[]): World {
  return worldOf(documents.join("\n---\n"));
}

/** Each listener with its domains. */
function domainsOf(world: World): unknown {
  const unit = compileUnit(world, "directory");
  if (unit?.kind !== "directory") throw new Error("there is no directory");
  return Object.fromEntries(unit.listeners.map(({ id, domains }) => [id, domains]));
}

test("the directory has the trust domain, the keys and every listener", () => {
  const world = meshOf(
    gateway(
      "web",
      `{name: https, port: 443, protocol: HTTPS, hostname: "*.a.test", tls: {certificateRefs: [{name: c}]}}, ${listener("http")}`,
    ),
    route("r", "{name: web}", "x.a.test, b.test"),
  );
  const key = { kid: "1", kty: "EC", crv: "P-256", x: "x", y: "y", alg: "ES256" } as const;
  expect(setKeys(world, [key])).toEqual(new Set(["directory"]));
  expect(compileUnit(world, "directory")).toEqual({
    kind: "directory",
    trustDomain: "mesh.test",
    keys: [key],
    listeners: [
      {
        id: "shop/web/http",
        gateway: "shop/web",
        port: 80,
        scheme: "http",
        hostname: "*",
        domains: ["x.a.test", "b.test"],
      },
      {
        id: "shop/web/https",
        gateway: "shop/web",
        port: 443,
        scheme: "https",
        hostname: "*.a.test",
        domains: ["x.a.test"],
      },
    ],
  });
});

function namespace(labels: string): string {
  return `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {${labels}}}}`;
}

describe("a route attaches", () => {
  const two = gateway(
    "web",
    `${listener("a", "hostname: a.test")}, {name: b, port: 81, protocol: HTTP, hostname: "*.b.test"}`,
  );
  test.each([
    ["to every listener", "{name: web}", "", { "shop/web/a": ["a.test"], "shop/web/b": ["*.b.test"] }],
    ["by section name", "{name: web, sectionName: b}", "", { "shop/web/a": [], "shop/web/b": ["*.b.test"] }],
    ["by port", "{name: web, port: 80}", "", { "shop/web/a": ["a.test"], "shop/web/b": [] }],
    [
      "by both, which must agree",
      "{name: web, port: 80, sectionName: b}",
      "",
      { "shop/web/a": [], "shop/web/b": [] },
    ],
    [
      "by two refs at once",
      "{name: web, port: 80}, {name: web, sectionName: a}",
      "",
      { "shop/web/a": ["a.test"], "shop/web/b": [] },
    ],
    ["to no other gateway", "{name: other}", "", { "shop/web/a": [], "shop/web/b": [] }],
    ["to no Service", "{name: web, kind: Service, group: ''}", "", { "shop/web/a": [], "shop/web/b": [] }],
    [
      "for the hosts of both",
      "{name: web}",
      "a.test, x.b.test, '*.b.test', b.test, c.test",
      { "shop/web/a": ["a.test"], "shop/web/b": ["x.b.test", "*.b.test"] },
    ],
    [
      "with a wildcard",
      "{name: web}",
      "'*.test', '*.x.b.test'",
      { "shop/web/a": ["a.test"], "shop/web/b": ["*.x.b.test", "*.b.test"] },
    ],
  ])("%s", (_name, parents, hostnames, domains) => {
    expect(domainsOf(meshOf(two, route("r", parents, hostnames)))).toEqual(domains);
  });

  const allow = (allowed: string) => gateway("web", listener("a", `allowedRoutes: {${allowed}}`), "edge");
  const team = "namespaces: {from: Selector, selector: {matchLabels: {team: web}}}";
  test.each([
    ["from its own namespace by default", [allow("")], []],
    ["from any", [allow("namespaces: {from: All}")], ["*"]],
    ["from none", [allow("namespaces: {from: None}")], []],
    ["from a selected namespace", [allow(team), namespace("team: web")], ["*"]],
    ["not from one with other labels", [allow(team), namespace("team: db")], []],
    ["not from one that nobody declared", [allow(team)], []],
    [
      "from a namespace by its name",
      [allow("namespaces: {from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: shop}}}")],
      ["*"],
    ],
    [
      "by expressions",
      [
        allow(
          "namespaces: {from: Selector, selector: {matchExpressions: [{key: team, operator: In, values: [web, db]}, {key: old, operator: DoesNotExist}, {key: toString, operator: DoesNotExist}]}}",
        ),
        namespace("team: db"),
      ],
      ["*"],
    ],
    [
      "by expressions that fail",
      [
        allow(
          "namespaces: {from: Selector, selector: {matchExpressions: [{key: team, operator: NotIn, values: [db]}, {key: team, operator: Exists}]}}",
        ),
        namespace("team: db"),
      ],
      [],
    ],
    ["by kind", [allow("namespaces: {from: All}, kinds: [{kind: HTTPRoute}]")], ["*"]],
    ["not where other kinds are wanted", [allow("namespaces: {from: All}, kinds: [{kind: GRPCRoute}]")], []],
  ])("%s", (_name, documents, domains) => {
    const world = meshOf(...documents, route("r", "{name: web, namespace: edge}"));
    expect(domainsOf(world)).toEqual({ "edge/web/a": domains });
  });
});

function backend(name: string, namespace = "shop"): string {
  return `{apiVersion: v1, kind: Service, metadata: {name: ${name}, namespace: ${namespace}}, spec: {ports: [{port: 80}]}}`;
}

function to(name: string, hostnames: string, rules: string): string {
  return `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: ${name}}, spec: {parentRefs: [{name: web}], hostnames: [${hostnames}], rules: [${rules}]}}`;
}

describe("a virtual host", () => {
  test("has the routes of every host name that covers it, the narrowest first", () => {
    const world = meshOf(
      gateway("web", listener("http")),
      to("any", "", "{matches: [{path: {type: Exact, value: /long/path}}]}"),
      to("wild", "'*.test'", "{matches: [{path: {value: /w}}]}"),
      to("other", "b.test", "{}"),
      to("exact", "a.test, '*.test'", "{}"),
    );
    const outline = (domain: string) => {
      const unit = compileUnit(world, `host:shop/web/http#${domain}`);
      if (unit?.kind !== "virtual-host") return null;
      return unit.routes.entries.map(({ action }) => unit.routes.actions[action]?.route);
    };
    expect({
      "a.test": outline("a.test"),
      "b.test": outline("b.test"),
      "*.test": outline("*.test"),
      "*": outline("*"),
      "c.test": outline("c.test"),
    }).toEqual({
      "a.test": ["shop/exact", "shop/wild", "shop/any"],
      "b.test": ["shop/other", "shop/wild", "shop/exact", "shop/any"],
      "*.test": ["shop/wild", "shop/exact", "shop/any"],
      "*": ["shop/any"],
      "c.test": null,
    });
  });

  test("is compiled with the policies of its gateway", () => {
    const world = meshOf(
      gateway("web", listener("http")),
      backend("a"),
      to("r", "a.test", "{backendRefs: [{name: a, port: 80}]}"),
      `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p}, spec: {action: DENY, rules: [{}], targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: web}]}}`,
      `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: q}, spec: {targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: web2}]}}`,
      `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: namespace-wide}, spec: {}}`,
    );
    const unit = compileUnit(world, "host:shop/web/http#a.test");
    expect(unit).toEqual({
      kind: "virtual-host",
      routes: {
        entries: [{ path: { kind: "prefix", value: "/" }, headers: [], query: [], action: 0 }],
        actions: [
          {
            route: "shop/r",
            rule: "0",
            filters: {},
            backends: [{ service: "shop/a", port: 80, weight: 1, filters: {} }],
          },
        ],
      },
      authorization: { deny: [{ policy: "shop/p", rule: 0, from: [], to: [] }], allow: null },
    });
    expect(unit === null ? null : references(unit)).toEqual(["service:shop/a"]);
  });

  test("may not use a service of another namespace, whether or not it exists", () => {
    const world = meshOf(
      gateway("web", listener("http")),
      backend("far", "other"),
      to(
        "r",
        "",
        "{backendRefs: [{name: far, namespace: other, port: 80}, {name: none, namespace: other, port: 80}]}",
      ),
    );
    const unit = compileUnit(world, "host:shop/web/http#*");
    expect(unit).toMatchObject({
      routes: {
        actions: [{ backends: [{ invalid: "backend.forbidden" }, { invalid: "backend.forbidden" }] }],
      },
    });
    expect(unit === null ? null : references(unit)).toEqual([]);
  });
});

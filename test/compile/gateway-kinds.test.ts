import { describe, expect, test } from "vitest";
import { compileUnit, references } from "../../shared/compile/compile.ts";
import type { RouteEntry, RouteSet } from "../../shared/engine/route.ts";
import { statusOf } from "../../shared/compile/conditions.ts";
import { parseYaml, store, worldOf } from "./worlds.ts";

const API = "apiVersion: gateway.networking.k8s.io/v1";
const GATEWAY = `{${API}, kind: Gateway, metadata: {name: gw}, spec: {gatewayClassName: x, listeners: [{name: web, port: 80, protocol: HTTP}]}}`;

const service = (name: string, namespace = "shop") =>
  `{apiVersion: v1, kind: Service, metadata: {name: ${name}, namespace: ${namespace}}, spec: {selector: {app: ${name}}, ports: [{name: web, port: 80}, {name: dns, port: 53, protocol: UDP}]}}`;
const route = (kind: string, rules: string) =>
  `{${API}, kind: ${kind}, metadata: {name: r}, spec: {parentRefs: [{name: gw}], rules: [${rules}]}}`;

function worldWith(...documents: readonly string[]) {
  return worldOf([GATEWAY, ...documents].join("\n---\n"));
}

function routesOf(...documents: readonly string[]): RouteSet {
  const unit = compileUnit(worldWith(...documents), "host:shop/gw/web#*");
  if (unit?.kind !== "virtual-host") throw new Error("there is no virtual host");
  return unit.routes;
}

const outline = ({ method, path, headers }: RouteEntry) =>
  `${method ?? ""} ${path.kind} ${path.value} ${headers.map(({ name, value }) => `${name}=${value}`).join()}`.trim();

const grant = (from: string, to: string) =>
  `{${API}, kind: ReferenceGrant, metadata: {name: g, namespace: far}, spec: {from: [${from}], to: [${to}]}}`;

const addresses = (...documents: readonly string[]) => {
  const unit = compileUnit(worldWith(service("a"), ...documents), "service:shop/a");
  return unit?.kind === "service"
    ? unit.endpoints.map(({ id, address, health }) => [
        id,
        address.kind === "origin" ? address.url : address.kind,
        health,
      ])
    : [];
};

test("a GRPCRoute is for POSTs to /service/method, the most specific first", () => {
  const matches = [
    "{method: {method: Get}}",
    "{}",
    "{method: {service: a.B}}",
    "{method: {service: a.B, method: Get}}",
    "{method: {type: RegularExpression, service: 'a[.].*', method: Get}}",
    "{method: {service: a.B, method: Get}, headers: [{name: X, value: y}]}",
  ];
  const { entries } = routesOf(route("GRPCRoute", `{matches: [${matches.join()}]}`));
  expect(entries.map(outline)).toEqual([
    "POST exact /a.B/Get x=y",
    "POST exact /a.B/Get",
    "POST regex /(?:a[.].*)/(?:Get)",
    "POST prefix /a.B",
    "POST regex /[^/]+/(?:Get)",
    "POST prefix /",
  ]);
});

test("a regular expression comes after exact paths and before prefixes", () => {
  const paths = [
    "{value: /long/prefix/of/all}",
    "{type: RegularExpression, value: '/[a-z]+'}",
    "{type: Exact, value: /a}",
  ];
  const { entries } = routesOf(
    route("HTTPRoute", `{matches: [${paths.map((one) => `{path: ${one}}`).join()}]}`),
  );
  expect(entries.map(outline)).toEqual(["exact /a", "regex /[a-z]+", "prefix /long/prefix/of/all"]);
});

test("filters of rules and backends, sessions and kinds of values", () => {
  const set = routesOf(
    service("a"),
    service("b"),
    route(
      "HTTPRoute",
      `{
        matches: [{
          headers: [{type: RegularExpression, name: X-Id, value: '[0-9]+'}],
          queryParams: [{type: RegularExpression, name: q, value: 'a|b'}]
        }],
        filters: [
          {type: RequestMirror, requestMirror: {backendRef: {name: b, port: 80}, percent: 20}},
          {type: RequestMirror, requestMirror: {backendRef: {name: none, port: 80}, fraction: {numerator: 1, denominator: 3}}},
          {type: CORS, cors: {allowOrigins: ['HTTPS://A.test:443', 'http://*.b.test:80'], allowMethods: [PUT], maxAge: 60}}
        ],
        backendRefs: [{name: a, port: 80, filters: [
          {type: RequestRedirect, requestRedirect: {hostname: new.test}},
          {type: RequestMirror, requestMirror: {backendRef: {name: a, port: 80}}}
        ]}],
        sessionPersistence: {sessionName: s}
      }`,
    ),
  );
  expect(set.entries.map(({ headers, query }) => [...headers, ...query])).toEqual([
    [
      { name: "x-id", kind: "regex", value: "[0-9]+" },
      { name: "q", kind: "regex", value: "a|b" },
    ],
  ]);
  expect(set.actions).toEqual([
    {
      route: "shop/r",
      rule: "0",
      filters: {
        mirrors: [
          { service: "shop/b", port: 80, share: 0.2 },
          { service: "shop/none", port: 80, share: 1 / 3, invalid: "backend.missing" },
        ],
        cors: {
          allowOrigins: ["https://a.test", "http://*.b.test"],
          allowCredentials: false,
          allowMethods: ["PUT"],
          allowHeaders: [],
          exposeHeaders: [],
          maxAgeSeconds: 60,
        },
      },
      backends: [
        {
          service: "shop/a",
          port: 80,
          weight: 1,
          filters: {
            redirect: { hostname: "new.test", statusCode: 302 },
            mirrors: [{ service: "shop/a", port: 80, share: 1 }],
          },
        },
      ],
      session: { kind: "cookie", name: "s", lifetime: "session", path: "/" },
    },
  ]);
});

test("a host that holds a route needs the services that it mirrors to", () => {
  const mirror = "{type: RequestMirror, requestMirror: {backendRef: {name: b, port: 80}}}";
  const world = worldWith(
    service("a"),
    service("b"),
    route("HTTPRoute", `{filters: [${mirror}], backendRefs: [{name: a, port: 80}]}`),
  );
  const unit = compileUnit(world, "host:shop/gw/web#*");
  expect(unit === null ? [] : references(unit)).toEqual(["service:shop/a", "service:shop/b"]);
});

describe("a backend of another namespace", () => {
  const SHOP = "{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}";
  const SERVICES = "{group: '', kind: Service}";
  test.each([
    ["without a grant", service("x"), "backend.forbidden"],
    ["by a grant for all Services", grant(SHOP, SERVICES), undefined],
    ["by a grant for it", grant(SHOP, "{group: '', kind: Service, name: a}"), undefined],
    ["by a grant for another", grant(SHOP, "{group: '', kind: Service, name: b}"), "backend.forbidden"],
    ["by a grant for Secrets", grant(SHOP, "{group: '', kind: Secret}"), "backend.forbidden"],
    [
      "by a grant to another namespace",
      grant("{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: other}", SERVICES),
      "backend.forbidden",
    ],
    [
      "by a grant to another group",
      grant("{group: other, kind: HTTPRoute, namespace: shop}", SERVICES),
      "backend.forbidden",
    ],
  ])("%s", (_name, document, invalid) => {
    const backend = "{backendRefs: [{name: a, namespace: far, port: 80}]}";
    const { actions } = routesOf(service("a", "far"), document, route("HTTPRoute", backend));
    expect(actions[0]?.backends[0]?.invalid).toBe(invalid);
  });
});

test("a port that is not TCP's is none for backends", () => {
  const { actions } = routesOf(service("a"), route("HTTPRoute", "{backendRefs: [{name: a, port: 53}]}"));
  expect(actions[0]?.backends[0]?.invalid).toBe("backend.missing");
});

test("only listeners for requests are in the directory, with those of listener sets", () => {
  const world = worldOf(
    [
      `{${API}, kind: Gateway, metadata: {name: gw}, spec: {gatewayClassName: x, allowedListeners: {namespaces: {from: All}}, listeners: [
        {name: web, port: 80, protocol: HTTP, hostname: a.test}, {name: tcp, port: 81, protocol: TCP},
        {name: sctp, port: 82, protocol: SCTP}, {name: tls, port: 443, protocol: HTTPS}]}}`,
      `{${API}, kind: ListenerSet, metadata: {name: s, namespace: far}, spec: {parentRef: {name: gw, namespace: shop}, listeners: [
        {name: web, port: 80, protocol: HTTP, hostname: b.test}, {name: twice, port: 80, protocol: HTTP, hostname: a.test}]}}`,
    ].join("\n---\n"),
  );
  const unit = compileUnit(world, "directory");
  const listeners = unit?.kind === "directory" ? unit.listeners : [];
  expect(listeners.map(({ id, gateway, scheme, hostname }) => [id, gateway, scheme, hostname])).toEqual([
    ["shop/gw/far/s/web", "shop/gw", "http", "b.test"],
    ["shop/gw/tls", "shop/gw", "https", "*"],
    ["shop/gw/web", "shop/gw", "http", "a.test"],
  ]);
});

const atHosts = (kind: string, hostnames: string) =>
  `{${API}, kind: ${kind}, metadata: {name: ${kind.toLowerCase()}}, spec: {parentRefs: [{name: gw}], hostnames: [${hostnames}]}}`;

describe("of an HTTPRoute and a GRPCRoute for one host", () => {
  test.each([
    [["HTTPRoute", "a.test"], ["GRPCRoute", "a.test"], "shop/httproute", "False NotAllowedByListeners"],
    [["GRPCRoute", "a.test"], ["HTTPRoute", "a.test"], "shop/grpcroute", "False NotAllowedByListeners"],
    [["GRPCRoute", "'*.test'"], ["HTTPRoute", "a.test"], "shop/grpcroute", "False NotAllowedByListeners"],
    [["HTTPRoute", "a.test"], ["GRPCRoute", "'*.test'"], "shop/httproute", "False NotAllowedByListeners"],
    [["HTTPRoute", "a.test"], ["GRPCRoute", "b.test"], "shop/httproute", "True Accepted"],
  ])("%s before %s: %s has it, the other is %s", (first, second, winner, accepted) => {
    const [older, newer] = [first, second].map(([kind = "", hosts = ""]) => atHosts(kind, hosts));
    const world = worldWith(older ?? "", newer ?? "");
    const unit = compileUnit(world, "host:shop/gw/web#a.test");
    const routes = unit?.kind === "virtual-host" ? unit.routes.actions.map(({ route: name }) => name) : [];
    expect(new Set(routes)).toEqual(new Set([winner]));
    const [, , parsed] = parseYaml([GATEWAY, older, newer].join("\n---\n")).map(store);
    const status = parsed === undefined ? null : statusOf(world, parsed);
    expect(status).toMatchObject({
      parents: [
        {
          conditions: [
            { type: "Accepted", status: accepted.split(" ")[0], reason: accepted.split(" ")[1] },
            {},
          ],
        },
      ],
    });
  });
});

describe("endpoints of a Service", () => {
  const SLICE = `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s, labels: {kubernetes.io/service-name: a}},
    addressType: IPv4, ports: [{name: udp, port: 1, protocol: UDP}, {name: web, port: 8080}], endpoints: [
      {addresses: [8.8.8.8]}, {addresses: [9.9.9.9], conditions: {ready: false}},
      {addresses: ['2606:4700::1'], conditions: {ready: true, terminating: true}}]}`;
  test("are those of its slices", () => {
    expect(addresses(SLICE)).toEqual([
      ["s/2606:4700::1:8080", "http://[2606:4700::1]:8080", "draining"],
      ["s/8.8.8.8:8080", "http://8.8.8.8:8080", "healthy"],
      ["s/9.9.9.9:8080", "http://9.9.9.9:8080", "unhealthy"],
    ]);
  });

  test("are never called in plain text under a BackendTLSPolicy", () => {
    const policy = `{${API}, kind: BackendTLSPolicy, metadata: {name: p}, spec: {targetRefs: [{group: '', kind: Service, name: a}], validation: {hostname: a.test, wellKnownCACertificates: System}}}`;
    const bound =
      "{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: e}, spec: {address: 'binding:A', services: [a]}}";
    expect(addresses(SLICE, policy, bound).map(([, address]) => address)).toEqual([
      "binding",
      "https://[2606:4700::1]:8080",
      "https://8.8.8.8:8080",
      "https://9.9.9.9:8080",
    ]);
  });
});

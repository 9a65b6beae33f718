import { describe, expect, test } from "vitest";
import { notesOf, problemsOf, specsOf } from "./translated.ts";

const PARENTS = [{ group: "", kind: "Service", name: "web" }];
const ROUTE = "HTTPRoute consul.web";
const POLICY = "TrafficPolicy consul.web";

/** Config entries as Consul's own tools write them. */
function entries(...list: readonly string[]): string {
  return list.join("\n---\n");
}

function rulesOf(...list: readonly string[]): unknown {
  const route = specsOf(entries(...list))[ROUTE] as { readonly rules: unknown } | undefined;
  return route?.rules;
}

const V1 = { kind: "Service", name: "web", subset: "v1" };

describe("service-router", () => {
  test.each<[route: string, rule: object]>([
    [
      "Match: {HTTP: {PathPrefix: /a}}",
      {
        matches: [{ path: { type: "TextPrefix", value: "/a" } }],
        backendRefs: [{ kind: "Service", name: "web" }],
      },
    ],
    [
      "Match: {HTTP: {PathExact: /a, CaseInsensitive: true, Methods: [GET, PUT]}}, Destination: {Service: b, Namespace: other}",
      {
        matches: ["GET", "PUT"].map((method) => ({
          path: { type: "Exact", value: "/a", ignoreCase: true },
          method,
        })),
        backendRefs: [{ kind: "Service", name: "b", namespace: "other" }],
      },
    ],
    [
      "Match: {HTTP: {PathRegex: '/[a-z]+', Header: [{Name: x-a, Contains: b, Invert: true}, {Name: x-c, Present: true}], QueryParam: [{Name: q, Regex: '.+'}]}}",
      {
        matches: [
          {
            path: { type: "RegularExpression", value: "/[a-z]+" },
            headers: [
              { type: "Contains", name: "x-a", value: "b", invert: true },
              { type: "Present", name: "x-c" },
            ],
            queryParams: [{ type: "RegularExpression", name: "q", value: ".+" }],
          },
        ],
        backendRefs: [{ kind: "Service", name: "web" }],
      },
    ],
    [
      "Match: {HTTP: {PathPrefix: /a}}, Destination: {ServiceSubset: v1, PrefixRewrite: /, RequestTimeout: 3s, NumRetries: 2, RetryOnConnectFailure: true, RetryOnStatusCodes: [503], RequestHeaders: {Set: {x-A: '1'}, Remove: [x-b]}}",
      {
        matches: [{ path: { type: "TextPrefix", value: "/a" } }],
        filters: [
          {
            type: "RequestHeaderModifier",
            requestHeaderModifier: { set: [{ name: "x-A", value: "1" }], remove: ["x-b"] },
          },
          {
            type: "URLRewrite",
            urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } },
          },
        ],
        backendRefs: [V1],
        timeouts: { request: "3s" },
        retry: { attempts: 2, on: ["connect-failure"], codes: [503], anyMethod: true },
      },
    ],
  ])("%s", (route, rule) => {
    expect(rulesOf(`{Kind: service-router, Name: web, Routes: [{${route}}]}`)).toEqual([
      rule,
      { backendRefs: [{ kind: "Service", name: "web" }] },
    ]);
  });
});

describe("a chain", () => {
  const resolver = `{Kind: service-resolver, Name: web, DefaultSubset: v1, Subsets: {
    v1: {Filter: 'Service.Meta.version == v1'}, v2: {Filter: 'Service.Meta.version == "v2" and Service.Meta.tier == gold'}}}`;

  test("splits what the router lets through, and resolves what is split", () => {
    const router =
      "{Kind: service-router, Name: web, Routes: [{Match: {HTTP: {PathExact: /a}}, Destination: {Service: b}}]}";
    const splitter =
      "{Kind: service-splitter, Name: web, Splits: [{Weight: 99.5}, {Weight: 0.5, ServiceSubset: v2}]}";
    expect(specsOf(entries(router, splitter, resolver))).toEqual({
      [ROUTE]: {
        parentRefs: PARENTS,
        order: "Listed",
        rules: [
          {
            matches: [{ path: { type: "Exact", value: "/a" } }],
            backendRefs: [{ kind: "Service", name: "b" }],
          },
          {
            backendRefs: [
              { ...V1, weight: 995_000 },
              { ...V1, subset: "v2", weight: 5_000 },
            ],
          },
        ],
      },
      [POLICY]: {
        targetRefs: PARENTS,
        subsets: [
          { name: "v1", labels: { version: "v1" } },
          { name: "v2", labels: { version: "v2", tier: "gold" } },
        ],
      },
    });
  });

  test("is the same in whatever order its entries come", () => {
    const splitter = "{Kind: service-splitter, Name: web, Splits: [{Weight: 100, ServiceSubset: v2}]}";
    expect(specsOf(entries(resolver, splitter))).toEqual(specsOf(entries(splitter, resolver)));
  });

  test("multiplies splits of splits, with the headers of both", () => {
    const outer = `{Kind: service-splitter, Name: web, Splits: [
      {Weight: 50, RequestHeaders: {Set: {x-a: '1'}}}, {Weight: 50, Service: b}]}`;
    const inner = `{Kind: service-splitter, Name: b, Splits: [
      {Weight: 10, ServiceSubset: v1}, {Weight: 90, Service: c, ResponseHeaders: {Add: {x-b: '2'}}}]}`;
    expect(rulesOf(outer, inner)).toEqual([
      {
        backendRefs: [
          {
            kind: "Service",
            name: "web",
            weight: 500_000,
            filters: [
              {
                type: "RequestHeaderModifier",
                requestHeaderModifier: { set: [{ name: "x-a", value: "1" }] },
              },
            ],
          },
          { kind: "Service", name: "b", subset: "v1", weight: 50_000 },
          {
            kind: "Service",
            name: "c",
            weight: 450_000,
            filters: [
              {
                type: "ResponseHeaderModifier",
                responseHeaderModifier: { add: [{ name: "x-b", value: "2" }] },
              },
            ],
          },
        ],
      },
    ]);
  });

  test("does not split a subset of another service again", () => {
    const outer =
      "{Kind: service-splitter, Name: web, Splits: [{Weight: 100, Service: b, ServiceSubset: v1}]}";
    const inner = "{Kind: service-splitter, Name: b, Splits: [{Weight: 100, Service: c}]}";
    expect(rulesOf(outer, inner)).toEqual([{ backendRefs: [{ kind: "Service", name: "b", subset: "v1" }] }]);
  });

  test("follows redirects, which leave everything else of a resolver aside", () => {
    const first =
      "{Kind: service-resolver, Name: web, Redirect: {Service: b}, ConnectTimeout: 1s, DefaultSubset: v1}";
    const second =
      "{Kind: service-resolver, Name: b, Redirect: {Service: c, Namespace: other, ServiceSubset: v9}}";
    expect(specsOf(entries(first, second))[ROUTE]).toMatchObject({
      rules: [{ backendRefs: [{ kind: "Service", name: "c", namespace: "other", subset: "v9" }] }],
    });
  });

  test("that runs in a circle is refused", () => {
    const first = "{Kind: service-resolver, Name: web, Redirect: {Service: b}}";
    const second = "{Kind: service-resolver, Name: b, Redirect: {Service: web}}";
    expect(problemsOf(entries(first, second))).toEqual([
      "Consul shop/web: spec: the chain of web runs in a circle, or splits too often",
      "Consul shop/b: spec: the chain of b runs in a circle, or splits too often",
    ]);
  });
});

test.each<[resolver: string, policy: object | undefined]>([
  ["", undefined],
  ["ConnectTimeout: 5s, RequestTimeout: 10s", { timeouts: { connect: "5s", request: "10s" } }],
  [
    "LoadBalancer: {Policy: least_request, LeastRequestConfig: {ChoiceCount: 3}}",
    { loadBalancer: { type: "LeastRequest", choiceCount: 3 } },
  ],
  [
    "LoadBalancer: {Policy: ring_hash, RingHashConfig: {MinimumRingSize: 2048}, HashPolicies: [{Field: cookie, FieldValue: c, CookieConfig: {Session: true}}, {SourceIP: true}]}",
    {
      loadBalancer: {
        type: "RingHash",
        hashKey: [{ type: "Cookie", name: "c", ttl: "0s" }, { type: "SourceIP" }],
        minimumRingSize: 2048,
      },
    },
  ],
  ["LoadBalancer: {Policy: maglev}", { loadBalancer: { type: "Random" } }],
  ["PrioritizeByLocality: {Mode: failover}", { locality: { mode: "Prefer" } }],
  ["PrioritizeByLocality: {Mode: none}", { locality: { mode: "None" } }],
  ["PrioritizeByLocality: {}", { locality: { mode: "None" } }],
  ["Failover: {'*': {Service: b}}", { failover: [{ service: "b" }], panicThreshold: 0 }],
  [
    "Failover: {'*': {Targets: [{Service: b, ServiceSubset: v1}, {Namespace: other}, {Service: c, Namespace: shop}]}}",
    {
      failover: [{ service: "b", subset: "v1" }, { service: "web", namespace: "other" }, { service: "c" }],
      panicThreshold: 0,
    },
  ],
  [
    `DefaultSubset: v1, Subsets: {v1: {Filter: 'Service.Meta.version == v1'}, v2: {Filter: 'Service.Meta.version == v2'}},
     Failover: {v1: {ServiceSubset: v2}, '*': {Service: b, Policy: {Mode: sequential}}}`,
    {
      subsets: [
        { name: "v1", labels: { version: "v1" }, failover: [{ service: "web", subset: "v2" }] },
        { name: "v2", labels: { version: "v2" }, failover: [{ service: "b" }] },
      ],
      failover: [{ service: "b" }],
      panicThreshold: 0,
    },
  ],
  // What fails cannot stand in for itself.
  [
    `Subsets: {v1: {Filter: 'Service.Meta.version == v1'}, v2: {Filter: 'Service.Meta.version == v2'}},
     Failover: {'*': {Targets: [{ServiceSubset: v2}, {Service: b}]}}`,
    {
      subsets: [
        {
          name: "v1",
          labels: { version: "v1" },
          failover: [{ service: "web", subset: "v2" }, { service: "b" }],
        },
        { name: "v2", labels: { version: "v2" }, failover: [{ service: "b" }] },
      ],
      failover: [{ service: "web", subset: "v2" }, { service: "b" }],
      panicThreshold: 0,
    },
  ],
])("service-resolver %s", (fields, policy) => {
  const yaml = `{Kind: service-resolver, Name: web${fields === "" ? "" : `, ${fields}`}}`;
  expect(specsOf(yaml)[POLICY]).toEqual(
    policy === undefined ? undefined : { targetRefs: PARENTS, ...policy },
  );
});

test("what stands in is resolved itself: through redirects, to default subsets", () => {
  const first =
    "{Kind: service-resolver, Name: web, Failover: {'*': {Targets: [{Service: b}, {Service: c}]}}}";
  const redirected = "{Kind: service-resolver, Name: b, Redirect: {Service: d, Namespace: other}}";
  const defaulted =
    "{Kind: service-resolver, Name: c, DefaultSubset: v1, Subsets: {v1: {Filter: 'Service.Meta.a == b'}}}";
  expect(specsOf(entries(first, redirected, defaulted))[POLICY]).toEqual({
    targetRefs: PARENTS,
    failover: [
      { service: "d", namespace: "other" },
      { service: "c", subset: "v1" },
    ],
    panicThreshold: 0,
  });
});

test("service-defaults limit a request unless the resolver does", () => {
  const defaults = "{Kind: service-defaults, Name: web, Protocol: http, LocalRequestTimeoutMs: 2000}";
  expect(specsOf(defaults)[POLICY]).toEqual({ targetRefs: PARENTS, timeouts: { request: "2s" } });
});

test("an entry reads the same in each of Consul's notations", () => {
  const spec = "{routes: [{match: {http: {pathPrefix: /a}}, destination: {numRetries: 3}}]}";
  const resource = `{apiVersion: consul.hashicorp.com/v1alpha1, kind: ServiceRouter, metadata: {name: web}, spec: ${spec}}`;
  const pascal =
    "{Kind: service-router, Name: web, Routes: [{Match: {HTTP: {PathPrefix: /a}}, Destination: {NumRetries: 3}}]}";
  const snake =
    "{kind: service-router, name: web, routes: [{match: {http: {path_prefix: /a}}, destination: {num_retries: 3}}]}";
  expect([specsOf(pascal), specsOf(snake)]).toEqual([specsOf(resource), specsOf(resource)]);
});

test("intentions stay what they are", () => {
  const yaml = "{Kind: service-intentions, Name: web, Sources: [{Name: '*', Action: deny}]}";
  expect(specsOf(yaml)).toEqual({
    "ServiceIntentions web": { destination: { name: "web" }, sources: [{ name: "*", action: "deny" }] },
  });
  expect(notesOf(yaml)).toEqual([
    "ServiceIntentions shop/web: spec: stays what it is: the mesh decides intentions in Consul's own order",
  ]);
});

test.each<[entry: string, problem: string]>([
  ["{Kind: service-splitter, Name: web, Splits: [{Weight: 99}]}", "spec.splits: weights must sum up to 100"],
  [
    "{Kind: service-splitter, Name: web, Splits: [{Weight: 99.999}, {Weight: 0.001}]}",
    "is counted in hundredths",
  ],
  ["{Kind: service-resolver, Name: web, Failover: {'*': {}}}", `failover["*"]: takes either targets`],
  [
    "{Kind: service-resolver, Name: web, Failover: {'*': {Service: b, Targets: [{Service: c}]}}}",
    `failover["*"]: takes either targets`,
  ],
  [
    "{Kind: service-resolver, Name: web, Failover: {'*': {Service: b, Datacenters: [dc2]}}}",
    "datacenters: there is one",
  ],
  [
    "{Kind: service-resolver, Name: web, Failover: {'*': {Targets: [{Service: b, Peer: p}]}}}",
    "targets[0].peer: there are no peers",
  ],
  [
    "{Kind: service-resolver, Name: web, Failover: {'*': {Service: b, Policy: {Mode: order-by-locality}}}}",
    "policy.mode: must be sequential",
  ],
  ["{Kind: service-resolver, Name: web, Failover: {v1: {Service: b}}}", "spec.failover.v1: names no subset"],
  [
    "{Kind: service-resolver, Name: web, Subsets: {v1: {Filter: 'Service.Meta.a == b'}}, Failover: {v1: {ServiceSubset: v1}}}",
    "spec.failover.v1: leads back to what fails",
  ],
  [
    "{Kind: service-resolver, Name: web, Subsets: {v1: {Filter: 'v1 in Service.Tags'}}}",
    "subsets.v1.filter: not supported",
  ],
  ["{Kind: service-resolver, Name: web, Redirect: {Datacenter: dc2}}", "redirect.datacenter: there is one"],
  [
    "{Kind: service-router, Name: web, Routes: [{Destination: {PrefixRewrite: /}}]}",
    "prefixRewrite: needs pathExact",
  ],
  [
    "{Kind: service-router, Name: web, Routes: [{Match: {HTTP: {Header: [{Name: a}]}}}]}",
    "header[0]: takes exactly one",
  ],
  ["{Kind: service-defaults, Name: web, Protocol: tcp}", "spec.protocol: must be http"],
  [
    "{Kind: service-defaults, Name: web, UpstreamConfig: {Defaults: {}}}",
    "upstreamConfig.defaults: not supported yet: defaults for whatever is called",
  ],
  [
    "{Kind: service-defaults, Name: web, UpstreamConfig: {Overrides: [{Name: b, PassiveHealthCheck: {EnforcingConsecutive5xx: 50}}]}}",
    "enforcingConsecutive5xx: must be 0 or 100",
  ],
  [
    "{Kind: service-defaults, Name: web, UpstreamConfig: {Overrides: [{Name: b, Limits: {MaxConnections: 0}}]}}",
    "maxConnections: must be at least 1",
  ],
  ["{Kind: service-intentions, Name: web, Sources: [{Name: a}]}", "sources[0].action: takes one of action"],
  [
    "{Kind: service-intentions, Name: web, Sources: [{Name: 'a*', Action: deny}]}",
    "sources[0].name: use lower-case letters",
  ],
  [
    "{Kind: service-intentions, Name: web, Sources: [{Name: a, Permissions: [{Action: deny, HTTP: {PathPrefix: /a//b}}]}]}",
    "pathPrefix: is no path",
  ],
])("%s is refused", (entry, problem) => {
  expect(problemsOf(entry)).toEqual(expect.arrayContaining([expect.stringContaining(problem)]));
});

import { describe, expect, test } from "vitest";
import type { InboundPolicy, Unit } from "../../shared/engine/snapshot.ts";
import { compileUnit } from "../../shared/compile/compile.ts";
import { worldOf } from "./worlds.ts";

const APP = `
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}}}
---
{apiVersion: v1, kind: Service, metadata: {name: web-v2}, spec: {selector: {app: web, version: v2}}}
---
{apiVersion: v1, kind: Service, metadata: {name: idle}, spec: {}}
---
{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: v1, labels: {app: web, version: v1}}, spec: {address: "binding:V1"}}
---
{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: v2, labels: {app: web, version: v2}}, spec: {address: "binding:V2"}}
`;

function withPolicies(...documents: readonly string[]) {
  return worldOf([APP, ...documents].join("\n---\n"));
}

/** The policies that protect each endpoint of a service, or a workload. */
function inboundOf(unit: Unit | null): readonly (InboundPolicy | undefined)[] {
  if (unit?.kind === "workload") return [unit.inbound];
  if (unit?.kind !== "service") throw new Error("there is no such unit");
  return unit.endpoints.length === 0
    ? unit.inbound
    : unit.endpoints.map(({ inbound }) => unit.inbound[inbound]);
}

function authorization(name: string, spec: string, namespace = "shop"): string {
  return `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: ${name}, namespace: ${namespace}}, spec: ${spec}}`;
}

test("an AuthorizationPolicy is compiled field by field", () => {
  const world = withPolicies(
    authorization(
      "all",
      `
{action: DENY, rules: [{}, {
  from: [
    {source: {principals: [cluster.local/ns/a/sa/b, "cluster.local/ns/a/*", "*/sa/c", other.test/ns/a/sa/b, "*"], notNamespaces: [a, "b*"]}},
    {source: {notPrincipals: ["cluster.local/ns/x/sa/y"], namespaces: ["*"]}}],
  to: [{operation: {hosts: [WWW.a.test, "*.B.test"], notHosts: [c.test], methods: [GET], notMethods: ["P*"],
    paths: [/café, "/a/*", "*/z", "*"], notPaths: ["/.*"], ports: ["80", 81], notPorts: ["82"]}}]}]}`,
    ),
  );
  const rule = { policy: "shop/all", rule: 1 };
  const [inbound] = inboundOf(compileUnit(world, "workload:shop/v1"));
  expect(inbound?.authorization).toEqual({
    deny: [
      { policy: "shop/all", rule: 0, from: [], to: [] },
      {
        ...rule,
        from: [
          {
            principals: [
              { kind: "exact", value: "mesh.test/ns/a/sa/b" },
              { kind: "prefix", value: "mesh.test/ns/a/" },
              { kind: "suffix", value: "/sa/c" },
              { kind: "exact", value: "other.test/ns/a/sa/b" },
              { kind: "present" },
            ],
            notNamespaces: [
              { kind: "exact", value: "a" },
              { kind: "prefix", value: "b" },
            ],
          },
          {
            notPrincipals: [{ kind: "exact", value: "mesh.test/ns/x/sa/y" }],
            namespaces: [{ kind: "present" }],
          },
        ],
        to: [
          {
            hosts: [
              { kind: "exact", value: "www.a.test" },
              { kind: "suffix", value: ".b.test" },
            ],
            notHosts: [{ kind: "exact", value: "c.test" }],
            methods: [{ kind: "exact", value: "GET" }],
            notMethods: [{ kind: "prefix", value: "P" }],
            paths: [
              { kind: "exact", value: "/caf%C3%A9" },
              { kind: "prefix", value: "/a/" },
              { kind: "suffix", value: "/z" },
              { kind: "present" },
            ],
            notPaths: [{ kind: "prefix", value: "/." }],
            ports: [80, 81],
            notPorts: [82],
          },
        ],
      },
    ],
    allow: null,
  });
});

/** Names of the policies whose rules are pooled for each endpoint, DENY and ALLOW. */
function rulesOf(unit: Unit | null): unknown {
  return inboundOf(unit).map((inbound) => ({
    deny: inbound?.authorization.deny.map(({ policy }) => policy),
    allow: inbound?.authorization.allow?.map(({ policy }) => policy) ?? null,
  }));
}

describe("which AuthorizationPolicies protect whom", () => {
  const none = { deny: [], allow: null };
  const p = { deny: ["shop/p"], allow: null };
  const target = "targetRefs: [{kind: Service, name: web-v2}]";

  test.each([
    ["none", [], { web: [none, none], webV2: [none], idle: [none], v1: [none], v2: [none] }],
    [
      "a namespace's",
      [authorization("p", "{action: DENY, rules: [{}]}")],
      { web: [p, p], webV2: [p], idle: [p], v1: [p], v2: [p] },
    ],
    [
      "another namespace's",
      [authorization("p", "{action: DENY, rules: [{}]}", "other")],
      { web: [none, none], webV2: [none], idle: [none], v1: [none], v2: [none] },
    ],
    [
      "one selector's",
      [authorization("p", "{action: DENY, rules: [{}], selector: {matchLabels: {version: v2}}}")],
      { web: [none, p], webV2: [p], idle: [none], v1: [none], v2: [p] },
    ],
    [
      "one service's: its endpoints, whichever service is called",
      [authorization("p", `{action: DENY, rules: [{}], ${target}}`)],
      { web: [none, p], webV2: [p], idle: [none], v1: [none], v2: [p] },
    ],
    [
      "an idle service's",
      [authorization("p", "{action: DENY, rules: [{}], targetRefs: [{kind: Service, name: idle}]}")],
      { web: [none, none], webV2: [none], idle: [p], v1: [none], v2: [none] },
    ],
    [
      "a gateway's",
      [
        authorization(
          "p",
          "{action: DENY, rules: [{}], targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: web}]}",
        ),
      ],
      { web: [none, none], webV2: [none], idle: [none], v1: [none], v2: [none] },
    ],
    [
      "an ALLOW policy without rules, which allows nothing",
      [authorization("p", "{}")],
      {
        web: [
          { deny: [], allow: [] },
          { deny: [], allow: [] },
        ],
        webV2: [{ deny: [], allow: [] }],
        idle: [{ deny: [], allow: [] }],
        v1: [{ deny: [], allow: [] }],
        v2: [{ deny: [], allow: [] }],
      },
    ],
    [
      "a DENY policy without rules, which denies nothing",
      [authorization("p", "{action: DENY}")],
      { web: [none, none], webV2: [none], idle: [none], v1: [none], v2: [none] },
    ],
    [
      "the mesh's, with and without a selector, before the namespace's",
      [
        authorization("b", "{rules: [{}]}"),
        authorization("a", "{rules: [{}]}"),
        authorization("z", "{rules: [{}]}", "selvedge-system"),
        authorization(
          "p",
          "{action: DENY, rules: [{}], selector: {matchLabels: {version: v1}}}",
          "selvedge-system",
        ),
      ],
      {
        web: [
          { deny: ["selvedge-system/p"], allow: ["selvedge-system/z", "shop/a", "shop/b"] },
          { deny: [], allow: ["selvedge-system/z", "shop/a", "shop/b"] },
        ],
        webV2: [{ deny: [], allow: ["selvedge-system/z", "shop/a", "shop/b"] }],
        idle: [{ deny: [], allow: ["selvedge-system/z", "shop/a", "shop/b"] }],
        v1: [{ deny: ["selvedge-system/p"], allow: ["selvedge-system/z", "shop/a", "shop/b"] }],
        v2: [{ deny: [], allow: ["selvedge-system/z", "shop/a", "shop/b"] }],
      },
    ],
    [
      "targets of the system namespace mean its own services",
      [authorization("p", `{action: DENY, rules: [{}], ${target}}`, "selvedge-system")],
      { web: [none, none], webV2: [none], idle: [none], v1: [none], v2: [none] },
    ],
  ])("%s", (_name, policies, expected) => {
    const world = withPolicies(...policies);
    expect({
      web: rulesOf(compileUnit(world, "service:shop/web")),
      webV2: rulesOf(compileUnit(world, "service:shop/web-v2")),
      idle: rulesOf(compileUnit(world, "service:shop/idle")),
      v1: rulesOf(compileUnit(world, "workload:shop/v1")),
      v2: rulesOf(compileUnit(world, "workload:shop/v2")),
    }).toEqual(expected);
  });
});

test("equal policies of a service's endpoints are held once", () => {
  const world = withPolicies(authorization("p", "{selector: {matchLabels: {version: v2}}}"));
  const unit = compileUnit(world, "service:shop/web");
  expect(unit).toMatchObject({ endpoints: [{ inbound: 0 }, { inbound: 1 }], inbound: [{}, {}] });
  expect(compileUnit(withPolicies(), "service:shop/web")).toMatchObject({
    endpoints: [{ inbound: 0 }, { inbound: 0 }],
    inbound: [{}],
  });
});

test("a RateLimitPolicy limits its targets' endpoints, each limit with buckets of its own", () => {
  const world = withPolicies(`
apiVersion: selvedge.dev/v1
kind: RateLimitPolicy
metadata: { name: p }
spec:
  targetRefs: [{ kind: Service, name: web-v2 }]
  limits:
    - { requests: 10 }
    - { mode: Strict, requests: 5, per: 1m, burst: 2, whenUnavailable: Deny,
        key: [{ type: Caller }, { type: Method }, { type: Path }, { type: Header, name: X-Tenant }] }
    - { mode: Leased, requests: 100, binding: LIMITER, shadow: true,
        key: [{ type: RemoteAddress }, { type: Query, name: Tenant }, { type: Claim, name: sub }] }
  headers: true`);
  const limits = [
    {
      policy: "shop/p[0]",
      mode: "local",
      rate: { requests: 10, perMs: 1000, burst: 10 },
      key: [],
      whenUnavailable: "allow",
      isTold: true,
    },
    {
      policy: "shop/p[1]",
      mode: "strict",
      rate: { requests: 5, perMs: 60_000, burst: 2 },
      key: [{ kind: "caller" }, { kind: "method" }, { kind: "path" }, { kind: "header", name: "x-tenant" }],
      whenUnavailable: "deny",
      isTold: true,
    },
    {
      policy: "shop/p[2]",
      mode: "leased",
      rate: { requests: 100, perMs: 1000, burst: 100 },
      key: [{ kind: "remote-address" }, { kind: "query", name: "Tenant" }, { kind: "claim", name: "sub" }],
      whenUnavailable: "allow",
      binding: "LIMITER",
      isShadow: true,
      isTold: true,
    },
  ];
  expect(inboundOf(compileUnit(world, "service:shop/web")).map((inbound) => inbound?.limits)).toEqual([
    [],
    limits,
  ]);
  expect(inboundOf(compileUnit(world, "workload:shop/v2")).map((inbound) => inbound?.limits)).toEqual([
    limits,
  ]);
});

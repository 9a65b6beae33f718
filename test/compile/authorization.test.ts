import { describe, expect, test } from "vitest";
import { compileUnit } from "../../shared/compile/compile.ts";
import type { Unit } from "../../shared/engine/snapshot.ts";
import { worldOf } from "./worlds.ts";

const APP = `
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}}}
---
{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: v1, labels: {app: web}}, spec: {address: "binding:V1"}}
---
{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: v2, labels: {app: web}}, spec: {address: "binding:V2"}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: front}, spec: {gatewayClassName: selvedge, infrastructure: {labels: {tier: edge}}, listeners: [{name: http, port: 80, protocol: HTTP}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: web}, spec: {parentRefs: [{name: front}], rules: [{backendRefs: [{name: web, port: 80}]}]}}
---
{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: old}, spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*.old.test"]}]}}
---
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: old}, spec: {hosts: [a.old.test], gateways: [old], http: [{route: [{destination: {host: web}}]}]}}
`;

const FRONT = "host:shop/front/http#*";
const OLD = "host:shop/istiogateway.old/http-0-0#a.old.test";

function world(...documents: readonly string[]) {
  return worldOf([APP, ...documents].join("\n---\n"));
}

function document(kind: string, spec: string, metadata = ""): string {
  const group = kind === "AuthorizationProvider" ? "selvedge.dev" : "security.istio.io";
  return `{apiVersion: ${group}/v1, kind: ${kind}, metadata: {name: p, ${metadata}}, spec: ${spec}}`;
}

function protection(unit: Unit | null) {
  if (unit?.kind === "workload") return unit.inbound;
  if (unit?.kind === "virtual-host") return unit;
  throw new Error("there is no such unit");
}

function workload(...documents: readonly string[]) {
  return protection(compileUnit(world(...documents), "workload:shop/v1"));
}

function exact(value: string): object {
  return { kind: "exact", value };
}

function tail(value: string): object {
  return { kind: "suffix", value };
}

test("every source and condition is compiled", () => {
  const spec = `{rules: [{
    from: [{source: {serviceAccounts: [a, other/b], trustDomains: [cluster.local, "*.test"], requestPrincipals: ["*", "iss/sub*", "iss*", "*sub"],
      ipBlocks: [10.0.0.0/8], notRemoteIpBlocks: ["2001:db8::/32"]}}, {source: {notServiceAccounts: [a]}}],
    to: [{operation: {paths: ["/café/{*}/{**}/x", "/a*"]}}],
    when: [
      {key: "request.headers[X-A]", values: [a], notValues: ["b*", "*c*"]},
      {key: "request.auth.claims[a][b]", values: ["*"]},
      {key: request.auth.audiences, values: [a]}, {key: request.auth.presenter, notValues: [a]}, {key: request.auth.principal, values: [i/s]},
      {key: source.ip, values: [10.1.2.3]}, {key: remote.ip, notValues: [10.1.2.3]},
      {key: source.principal, values: [cluster.local/ns/a/sa/b]}, {key: source.namespace, values: [a]}, {key: source.serviceAccount, values: [b]},
      {key: destination.port, values: ["80"]}, {key: destination.ip, values: [10.1.2.3]}, {key: connection.sni, notValues: [a.test]}],
    notAfter: "2030-01-01T00:00:00Z"}]}`;
  const address = [0, 0, 0, 0, 0, 0xffff, 0x0a01, 0x0203];
  const any = { kind: "present" };

  expect(workload(document("AuthorizationPolicy", spec)).authorization).toEqual({
    deny: [],
    readsAddresses: true,
    allow: [
      {
        policy: "shop/p",
        rule: 0,
        endsAt: Date.UTC(2030, 0, 1),
        from: [
          {
            principals: [tail("/ns/shop/sa/a"), tail("/ns/other/sa/b")],
            also: [
              { kind: "trust-domain", values: [exact("mesh.test"), tail(".test")] },
              {
                kind: "user",
                values: [
                  { issuer: any, subject: any },
                  { issuer: exact("iss"), subject: { kind: "prefix", value: "sub" } },
                  { issuer: { kind: "prefix", value: "iss" }, subject: any },
                  { issuer: any, subject: tail("sub") },
                ],
              },
              {
                kind: "source-address",
                values: [{ address: [0, 0, 0, 0, 0, 0xffff, 0x0a00, 0], bits: 104 }],
              },
              {
                kind: "remote-address",
                notValues: [{ address: [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], bits: 32 }],
              },
            ],
          },
          { notPrincipals: [tail("/ns/shop/sa/a")] },
        ],
        to: [
          {
            paths: [
              { kind: "template", head: ["caf%C3%A9", null], tail: "/x" },
              { kind: "prefix", value: "/a" },
            ],
          },
        ],
        when: [
          {
            kind: "header",
            name: "x-a",
            values: [exact("a")],
            notValues: [
              { kind: "prefix", value: "b" },
              { kind: "contains", value: "c" },
            ],
          },
          { kind: "claim", path: ["a", "b"], values: [any] },
          { kind: "audience", values: [exact("a")] },
          { kind: "presenter", notValues: [exact("a")] },
          { kind: "user", values: [{ issuer: exact("i"), subject: exact("s") }] },
          { kind: "source-address", values: [{ address, bits: 128 }] },
          { kind: "remote-address", notValues: [{ address, bits: 128 }] },
          { kind: "principal", values: [exact("mesh.test/ns/a/sa/b")] },
          { kind: "namespace", values: [exact("a")] },
          { kind: "principal", values: [tail("/ns/shop/sa/b")] },
          { kind: "port", values: [80] },
          { kind: "unknown" },
          { kind: "unknown" },
        ],
      },
    ],
  });
});

const RULE = { policy: "shop/p", rule: 0, from: [], to: [] };
const NONE = { deny: [], allow: null };

test.each<[string, readonly string[], object]>([
  [
    "AUDIT decides nothing",
    [document("AuthorizationPolicy", "{action: AUDIT, rules: [{}]}")],
    { ...NONE, audit: [RULE] },
  ],
  [
    "CUSTOM asks whom the mesh knows by the name",
    [
      document("AuthorizationPolicy", "{action: CUSTOM, provider: {name: p}, rules: [{}]}"),
      document("AuthorizationProvider", '{address: "binding:OPA"}', "namespace: selvedge-system"),
    ],
    {
      ...NONE,
      custom: [
        {
          provider: expect.objectContaining({ name: "p", address: { kind: "binding", name: "OPA" } }),
          rules: [RULE],
        },
      ],
    },
  ],
  [
    "a provider of another namespace is nobody",
    [
      document("AuthorizationPolicy", "{action: CUSTOM, provider: {name: p}, rules: [{}]}"),
      document("AuthorizationProvider", '{address: "binding:OPA"}'),
    ],
    { ...NONE, custom: [{ provider: null, rules: [RULE] }] },
  ],
  [
    "a dry run is tried apart",
    [
      document(
        "AuthorizationPolicy",
        "{action: DENY, rules: [{}]}",
        'annotations: {istio.io/dry-run: "true"}',
      ),
    ],
    { ...NONE, trial: { deny: [RULE], allow: null } },
  ],
  [
    "a dry run that is off is none",
    [
      document(
        "AuthorizationPolicy",
        "{action: DENY, rules: [{}]}",
        'annotations: {istio.io/dry-run: "false"}',
      ),
    ],
    { deny: [RULE], allow: null },
  ],
  [
    "an Endpoint is a target",
    [
      document(
        "AuthorizationPolicy",
        "{action: DENY, rules: [{}], targetRefs: [{group: selvedge.dev, kind: Endpoint, name: v1}]}",
      ),
    ],
    { deny: [RULE], allow: null },
  ],
  [
    "another Endpoint is another target",
    [
      document(
        "AuthorizationPolicy",
        "{action: DENY, rules: [{}], targetRef: {group: selvedge.dev, kind: Endpoint, name: v2}}",
      ),
    ],
    NONE,
  ],
])("%s", (_what, documents, expected) => {
  expect(workload(...documents).authorization).toEqual(expected);
});

const system = "namespace: selvedge-system";

function denying(spec: string, metadata = ""): string {
  return document("AuthorizationPolicy", `{action: DENY, rules: [{}], ${spec}}`, metadata);
}

describe("gateways", () => {
  test.each<[string, string, readonly string[]]>([
    [
      "by name",
      denying("targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: front}]"),
      ["front"],
    ],
    ["by the labels of its infrastructure", denying("selector: {matchLabels: {tier: edge}}"), ["front"]],
    [
      "by the label that all have",
      denying("selector: {matchLabels: {gateway.networking.k8s.io/gateway-name: front}}"),
      ["front"],
    ],
    [
      "by labels, from the system namespace",
      denying("selector: {matchLabels: {tier: edge}}", system),
      ["front"],
    ],
    [
      "by Istio's selector, from the system namespace",
      denying("selector: {matchLabels: {istio: ingressgateway}}", system),
      ["old"],
    ],
    [
      "not by Istio's selector from elsewhere",
      denying("selector: {matchLabels: {istio: ingressgateway}}"),
      [],
    ],
    ["not by a namespace", denying(""), []],
    ["not by the mesh", denying("", system), []],
    ["not by other labels", denying("selector: {matchLabels: {tier: core}}"), []],
  ])("are selected %s", (_how, policy, expected) => {
    const mesh = world(policy);
    const names = [
      ["front", FRONT],
      ["old", OLD],
    ].filter(([, key = ""]) => protection(compileUnit(mesh, key)).authorization.deny.length > 0);
    expect(names.map(([name]) => name)).toEqual(expected);
  });
});

function users(spec: string): string {
  return document("RequestAuthentication", spec);
}

describe("RequestAuthentications", () => {
  const KEY = '{"kty":"EC","crv":"P-256","x":"a","y":"b","kid":"k","use":"sig","extra":1}';

  test("are compiled field by field", () => {
    const full = `{jwtRules: [{issuer: i, audiences: [a], jwks: '{"keys":[${KEY}]}', jwksUri: "https://a.test/k", fromHeaders: [{name: X-Jwt, prefix: "T "}],
      fromParams: [p], fromCookies: [c], forwardOriginalToken: true, outputPayloadToHeader: X-Payload, outputClaimToHeaders: [{header: X-Sub, claim: a.sub}],
      spaceDelimitedClaims: [s]}, {issuer: j, jwksUri: "https://a.test/k", timeout: 1s}]}`;
    expect(workload(users(full)).users).toEqual([
      {
        issuer: "i",
        audiences: ["a"],
        keys: { kind: "inline", keys: [{ kty: "EC", kid: "k", crv: "P-256", x: "a", y: "b" }] },
        places: [
          { kind: "header", name: "x-jwt", prefix: "T " },
          { kind: "param", name: "p" },
          { kind: "cookie", name: "c" },
        ],
        isForwarded: true,
        payloadHeader: "x-payload",
        claimHeaders: [{ header: "x-sub", claim: ["a", "sub"] }],
        spaced: ["s"],
      },
      {
        issuer: "j",
        audiences: [],
        keys: { kind: "remote", uri: "https://a.test/k", timeoutMs: 1_000 },
        places: [
          { kind: "header", name: "authorization", prefix: "Bearer " },
          { kind: "param", name: "access_token" },
        ],
        isForwarded: false,
        claimHeaders: [],
        spaced: [],
      },
    ]);
  });

  const rules = '{issuer: i, jwksUri: "https://a.test/k"}';

  test.each<[string, string, readonly [number, boolean | null]]>([
    ["for the namespace: gateways leave the token", `{jwtRules: [${rules}]}`, [1, true]],
    [
      "for the gateway alone: it takes the token away",
      `{jwtRules: [${rules}], selector: {matchLabels: {tier: edge}}}`,
      [0, false],
    ],
    ["for a workload alone", `{jwtRules: [${rules}], selector: {matchLabels: {app: web}}}`, [1, null]],
    ["without rules", "{}", [0, null]],
  ])("%s", (_what, spec, [atWorkload, isForwarded]) => {
    const mesh = world(users(spec));
    const front = protection(compileUnit(mesh, FRONT)).users;
    expect([
      protection(compileUnit(mesh, "workload:shop/v1")).users?.length ?? 0,
      front?.[0]?.isForwarded ?? null,
    ]).toEqual([atWorkload, isForwarded]);
  });
});

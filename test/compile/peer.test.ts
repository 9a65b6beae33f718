import { describe, expect, test } from "vitest";
import { compileUnit } from "../../shared/compile/compile.ts";
import type { InboundPolicy } from "../../shared/engine/snapshot.ts";
import { worldOf } from "./worlds.ts";

const APP = `
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}}}
---
{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: v1, labels: {app: web, version: v1}}, spec: {address: "binding:V1"}}
---
{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: v2, labels: {app: web, version: v2}}, spec: {address: "binding:V2"}}
`;

function inboundOf(world: ReturnType<typeof worldOf>, endpoint: string): InboundPolicy {
  const unit = compileUnit(world, `workload:shop/${endpoint}`);
  if (unit?.kind !== "workload") throw new Error("there is no such unit");
  return unit.inbound;
}

function peer(name: string, mode: string, place = "shop", selector = ""): string {
  const spec = `{mtls: {mode: ${mode}}${selector === "" ? "" : `, selector: {matchLabels: {${selector}}}`}}`;
  return `{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: ${name}, namespace: ${place}}, spec: ${spec}}`;
}

describe("whom a policy is about", () => {
  test.each([
    ["nothing said", [], ["strict", "strict"]],
    ["the mesh", [peer("a", "PERMISSIVE", "selvedge-system")], ["permissive", "permissive"]],
    ["another namespace", [peer("a", "PERMISSIVE", "other")], ["strict", "strict"]],
    ["the namespace", [peer("a", "PERMISSIVE")], ["permissive", "permissive"]],
    [
      "the namespace before the mesh",
      [peer("a", "PERMISSIVE", "selvedge-system"), peer("a", "STRICT")],
      ["strict", "strict"],
    ],
    ["one workload", [peer("a", "PERMISSIVE", "shop", "version: v2")], ["strict", "permissive"]],
    [
      "a workload before its namespace",
      [peer("a", "PERMISSIVE"), peer("b", "STRICT", "shop", "version: v2")],
      ["permissive", "strict"],
    ],
    [
      "a workload that inherits",
      [peer("a", "PERMISSIVE"), peer("b", "UNSET", "shop", "version: v2")],
      ["permissive", "permissive"],
    ],
    ["the older of two", [peer("b", "PERMISSIVE"), peer("a", "STRICT")], ["permissive", "permissive"]],
    [
      "a selector in the system namespace, which selects nothing elsewhere",
      [peer("a", "PERMISSIVE", "selvedge-system", "version: v2")],
      ["strict", "strict"],
    ],
  ])("%s", (_name, policies, expected) => {
    const world = worldOf([APP, ...policies].join("\n---\n"));
    expect([inboundOf(world, "v1").peer, inboundOf(world, "v2").peer]).toEqual(expected);
  });
});

function peers(spec: string): string {
  return `{apiVersion: security.istio.io/v1, kind: PeerAuthentication, ${spec}}`;
}

function ofMesh(mode: string): string {
  return peers(`metadata: {name: m, namespace: selvedge-system}, spec: {mtls: {mode: ${mode}}}`);
}

function ofSpace(mode: string): string {
  return peers(`metadata: {name: n}, spec: {mtls: {mode: ${mode}}}`);
}

function ofSpaceSpec(spec: string): string {
  return peers(`metadata: {name: n}, spec: {${spec}}`);
}

function ofWorkload(spec: string): string {
  return peers(`metadata: {name: w}, spec: {selector: {matchLabels: {app: web}}, ${spec}}`);
}

test.each<[string, boolean, readonly string[], object]>([
  ["a Worker that enforces its policies itself", true, [], {}],
  ["one whose tokens are bound", true, [ofSpaceSpec("tokens: {binding: Certificate}")], { isEdgeOnly: true }],
  ["any other, which the edge calls anyway", false, [ofSpaceSpec("tokens: {binding: Certificate}")], {}],
])("how callers get to %s", (_what, joined, documents, expected) => {
  const app = APP.replaceAll("spec: {address: ", `spec: {joined: ${joined}, address: `);
  const unit = compileUnit(worldOf([app, ...documents].join("\n---\n")), "service:shop/web");
  if (unit?.kind !== "service") throw new Error("there is no such unit");
  const ways = unit.endpoints.map(({ isJoined, isEdgeOnly }) => ({ isJoined, isEdgeOnly }));
  const way = { isJoined: joined, isEdgeOnly: undefined, ...expected };
  expect(ways).toEqual([way, way]);
});

describe("the narrowest level decides", () => {
  test.each<[string, readonly string[], object]>([
    ["none", [], { peer: "strict" }],
    ["the mesh's", [ofMesh("DISABLE")], { peer: "disabled" }],
    ["the namespace's before the mesh's", [ofMesh("STRICT"), ofSpace("PERMISSIVE")], { peer: "permissive" }],
    [
      "the workload's before the namespace's",
      [ofSpace("PERMISSIVE"), ofWorkload("mtls: {mode: DISABLE}")],
      { peer: "disabled" },
    ],
    [
      "unset, the wider one's",
      [ofMesh("PERMISSIVE"), ofSpace("UNSET"), ofWorkload("mtls: {mode: UNSET}")],
      { peer: "permissive" },
    ],
    [
      "a port's before all",
      [
        ofSpace("PERMISSIVE"),
        ofWorkload("portLevelMtls: {9090: {mode: STRICT}, 80: {mode: DISABLE}, 81: {mode: UNSET}}"),
      ],
      {
        peer: "permissive",
        peerPorts: [
          { port: 80, mode: "disabled" },
          { port: 9090, mode: "strict" },
        ],
      },
    ],
    [
      "of tokens, each field by itself",
      [
        peers("metadata: {name: m, namespace: selvedge-system}, spec: {tokens: {binding: Certificate}}"),
        ofSpaceSpec("tokens: {once: [{methods: [POST]}]}"),
        ofWorkload("mtls: {mode: PERMISSIVE}"),
      ],
      {
        peer: "permissive",
        tokens: { once: [{ methods: [{ kind: "exact", value: "POST" }] }], isBound: true },
      },
    ],
    [
      "a narrower one that asks for nothing",
      [
        ofSpaceSpec('tokens: {binding: Certificate, once: [{paths: ["/pay/*"]}]}'),
        ofWorkload("tokens: {binding: None, once: []}"),
      ],
      { peer: "strict" },
    ],
  ])("%s", (_what, documents, expected) => {
    const {
      authorization: _authorization,
      limits: _limits,
      ...rest
    } = inboundOf(worldOf([APP, ...documents].join("\n---\n")), "v1");
    expect(rest).toEqual(expected);
  });
});

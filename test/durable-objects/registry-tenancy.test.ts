import { describe, expect, test } from "vitest";
import { readOwners, seizures, trespasses, type Ownership } from "../../durable-objects/registry-tenancy.ts";
import type { DirectoryUnit, Listener } from "../../shared/engine/snapshot.ts";
import { parseDocuments } from "../../shared/wire/parse.ts";

function endpoint(namespace: string, spec: object): unknown {
  return { apiVersion: "selvedge.dev/v1", kind: "Endpoint", metadata: { name: "a", namespace }, spec };
}

function paths(document: unknown): string[] {
  const parsed = parseDocuments([document], { allowPrivateEndpoints: false });
  const resources = parsed.ok ? parsed.resources : [];
  expect(resources).toHaveLength(1);
  return trespasses(resources, { namespaces: ["shop", "checkout"] }, ownership(1)).map(({ path }) => path);
}

function ownership(count: number): Ownership {
  return {
    bindings: { CART: ["shop"], "dispatch:blog": ["shop"], CERTIFICATE: ["shop", "blog"] },
    countWith: () => count,
  };
}

test.each<[string, unknown, readonly string[]]>([
  ["an origin", endpoint("shop", { address: "https://a.example" }), []],
  ["its own binding", endpoint("shop", { address: "binding:CART" }), []],
  ["its own Worker", endpoint("shop", { address: "dispatch:blog" }), []],
  [
    "its own certificate",
    endpoint("shop", { address: "https://a.example", clientCertificate: "CERTIFICATE" }),
    [],
  ],
  [
    "another's binding",
    endpoint("checkout", { address: "binding:CART" }),
    ["Endpoint checkout/a: spec.address"],
  ],
  ["nobody's binding", endpoint("shop", { address: "binding:OTHER" }), ["Endpoint shop/a: spec.address"]],
  ["nobody's Worker", endpoint("shop", { address: "dispatch:CART" }), ["Endpoint shop/a: spec.address"]],
  [
    "another's certificate",
    endpoint("checkout", { address: "https://a.example", clientCertificate: "CERTIFICATE" }),
    ["Endpoint checkout/a: spec.clientCertificate"],
  ],
  ["another's namespace", endpoint("blog", { address: "https://a.example" }), ["Endpoint blog/a"]],
  [
    "no namespace",
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" }, spec: {} },
    ["Namespace shop"],
  ],
])("an owner of shop and checkout and %s", (_, document, expected) => {
  expect(paths(document)).toEqual(expected);
});

function directory(listeners: Readonly<Record<string, string>>): DirectoryUnit {
  return {
    kind: "directory",
    trustDomain: "mesh.test",
    keys: [],
    listeners: Object.entries(listeners).map(([id, hostname]) => ({
      id,
      gateway: id.slice(0, id.lastIndexOf("/")),
      port: 80,
      scheme: "http",
      hostname,
      domains: [],
    })),
  };
}

const THEIRS = { "infra/public/http": "*.example.test" };

test.each<[string, Readonly<Record<string, string>>, Readonly<Record<string, string>>, readonly string[]]>([
  ["a host of nobody", THEIRS, { "shop/own/http": "shop.test" }, []],
  ["the domain itself, which the wildcard leaves", THEIRS, { "shop/own/http": "example.test" }, []],
  ["a host that a wildcard covers", THEIRS, { "shop/own/http": "pay.example.test" }, ["shop/own"]],
  ["the wildcard itself", THEIRS, { "shop/own/http": "*.example.test" }, ["shop/own"]],
  ["a wider wildcard", THEIRS, { "shop/own/http": "*.test" }, ["shop/own"]],
  ["every host", THEIRS, { "shop/own/http": "*" }, ["shop/own"]],
  ["a host of its own other gateway", { "checkout/a/http": "a.test" }, { "shop/own/http": "a.test" }, []],
  ["what it had already", { ...THEIRS, "shop/own/http": "*" }, { "shop/own/http": "*" }, []],
  ["more than it had", { ...THEIRS, "shop/own/http": "a.test" }, { "shop/own/http": "*" }, ["shop/own"]],
])("an owner of shop and checkout listens to %s", (_, before, added, expected) => {
  const after = directory({ ...before, ...added });
  const problems = seizures(directory(before), after, ["shop", "checkout"]);
  expect(problems.map(({ path }) => path)).toEqual(expected.map((name) => `Gateway ${name}: listener http`));
});

/** As `b`'s ListenerSet `set` adds them to a gateway that invites it. */
function added(gateway: string, hostname: string): Listener {
  const place = { port: 80, scheme: "http", hostname, domains: [] } as const;
  return { id: `${gateway}/b/set/http`, gateway, ...place };
}

test.each([
  ["a host of a third one's gateway", "pay.example.test", ["ListenerSet b/set: listener http"]],
  ["a host of nobody", "b.test", []],
  ["a part of what the gateway itself listens to", "b.host.test", []],
])("an owner of b adds to a gateway %s", (_, hostname, expected) => {
  const before = directory({ ...THEIRS, "a/gw/http": "*.host.test" });
  const after = { ...before, listeners: [...before.listeners, added("a/gw", hostname)] };
  expect(seizures(before, after, ["b"]).map(({ path }) => path)).toEqual(expected);
});

test.each([
  [5_000, { namespaces: ["shop"] }, []],
  [5_001, { namespaces: ["shop"] }, ["Namespace shop"]],
  [5_001, {}, []],
])("%d resources of a namespace, for an apply of %j", (count, request, expected) => {
  const document = endpoint("shop", { address: "https://a.example" });
  const parsed = parseDocuments([document], { allowPrivateEndpoints: false });
  const problems = trespasses(parsed.ok ? parsed.resources : [], request, ownership(count));
  expect(problems.map(({ path }) => path)).toEqual(expected);
});

describe("who owns bindings", () => {
  test.each([
    [undefined, {}],
    ["", {}],
    ["no json", {}],
    ["null", {}],
    ['{"CART": ["shop", 1], "X": "shop"}', { CART: ["shop"] }],
  ])("%j", (text, owners) => {
    expect(readOwners(text)).toEqual(owners);
  });
});

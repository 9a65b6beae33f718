import { describe, expect, test } from "vitest";
import { readOwners, trespasses } from "../../durable-objects/registry-tenancy.ts";
import { parseDocuments } from "../../shared/wire/parse.ts";

function endpoint(namespace: string, spec: object): unknown {
  return { apiVersion: "selvedge.dev/v1", kind: "Endpoint", metadata: { name: "a", namespace }, spec };
}

function paths(document: unknown): string[] {
  const parsed = parseDocuments([document], { allowPrivateEndpoints: false });
  const resources = parsed.ok ? parsed.resources : [];
  expect(resources).toHaveLength(1);
  const owners = { CART: ["shop"], "dispatch:blog": ["shop"], CERTIFICATE: ["shop", "blog"] };
  return trespasses(resources, ["shop", "checkout"], owners).map(({ path }) => path);
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

import { reset } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import { explanation, type Explanation } from "../../shared/wire/explain.ts";
import { ask } from "./admin-kit.ts";

afterEach(reset);

function named(apiVersion: string, kind: string, name: string, spec: unknown): object {
  return { apiVersion, kind, metadata: { name, namespace: "shop" }, spec };
}

const DOCUMENTS = [
  { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } },
  named("v1", "Service", "web", { ports: [{ port: 80 }] }),
  named("selvedge.dev/v1", "Endpoint", "web-1", {
    address: "https://origin.example.com",
    services: ["web"],
  }),
  named("gateway.networking.k8s.io/v1", "Gateway", "public", {
    gatewayClassName: "selvedge",
    listeners: [{ name: "http", port: 80, protocol: "HTTP", hostname: "*.test" }],
  }),
  named("gateway.networking.k8s.io/v1", "HTTPRoute", "web", {
    parentRefs: [{ name: "public" }],
    hostnames: ["www.test"],
    rules: [
      {
        matches: [{ headers: [{ name: "end-user", value: "jason" }] }],
        backendRefs: [{ name: "gone", port: 80 }],
      },
      { backendRefs: [{ name: "web", port: 80 }] },
    ],
  }),
];

async function explain(json: object): Promise<Explanation> {
  const answered = await ask("/api/v1/explain", { method: "POST", json });
  expect(answered.status).toBe(200);
  return explanation.parse(answered.body);
}

describe("explain", () => {
  test("tells by the compiled configuration which rule decides", async () => {
    await ask("/api/v1/apply", { method: "POST", json: { documents: DOCUMENTS } });

    const plain = await explain({ url: "http://www.test/a" });
    const jason = await explain({
      url: "http://www.test/a",
      headers: [{ name: "end-user", value: "jason" }],
    });

    expect(plain.rules.map(({ rule, verdict }) => [rule, verdict])).toEqual([
      ["0", "headers"],
      ["1", "decides"],
    ]);
    expect(plain).toMatchObject({
      entrance: { kind: "listener", listener: "shop/public/http", domain: "www.test" },
      backends: [{ service: "shop/web", endpoints: 1, usable: 1, invalid: null }],
    });
    expect(jason.backends).toMatchObject([{ service: "shop/gone", invalid: "backend.missing" }]);
  });

  test("of a mesh without configuration tells that nothing answers", async () => {
    expect(await explain({ url: "http://www.test/" })).toMatchObject({
      entrance: null,
      outcome: { kind: "refuse", status: 421, code: "host.unknown" },
    });
  });

  test.each([
    ["no URL", { url: "www.test/" }, "url"],
    [
      "a header that would be two",
      { url: "http://a.test/", headers: [{ name: "a", value: "b\r\nc: d" }] },
      "headers[0].value",
    ],
    ["a caller without namespace", { url: "http://a.test/", from: "web" }, "from"],
    ["a field that is unknown", { url: "http://a.test/", port: 80 }, "port"],
  ])("refuses %s", async (_what, json, path) => {
    const answered = await ask("/api/v1/explain", { method: "POST", json });

    expect(answered).toMatchObject({ status: 422, body: { fields: [{ path }] } });
  });
});

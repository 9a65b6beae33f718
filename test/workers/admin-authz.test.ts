import { reset } from "cloudflare:test";
import { afterEach, expect, test } from "vitest";
import { checkAnswer } from "../../shared/wire/authz-check.ts";
import { ask } from "./admin-kit.ts";

afterEach(reset);

function named(apiVersion: string, kind: string, name: string, spec: unknown): object {
  return { apiVersion, kind, metadata: { name, namespace: "shop" }, spec };
}

const DOCUMENTS = [
  named("v1", "Service", "web", { ports: [{ port: 80 }] }),
  named("selvedge.dev/v1", "Endpoint", "web-1", { address: "https://origin.example.com", services: ["web"] }),
  named("security.istio.io/v1", "AuthorizationPolicy", "web", {
    rules: [
      { to: [{ operation: { paths: ["/a/{*}"] } }], from: [{ source: { serviceAccounts: ["cart"] } }] },
    ],
  }),
];

async function check(from: string, path: string): Promise<unknown> {
  const { body } = await ask("/api/v1/authz/check", {
    method: "POST",
    json: { from, to: "shop/web", path },
  });
  return checkAnswer
    .parse(body)
    .decisions.map(({ endpoints, isAllowed, by, code }) => ({ endpoints, isAllowed, by, code }));
}

test("checks a call by the compiled configuration", async () => {
  await ask("/api/v1/apply", { method: "POST", json: { documents: DOCUMENTS } });
  const endpoints = ["web-1"];
  expect([
    await check("shop/cart", "/a/b"),
    await check("shop/cart", "/a/b/c"),
    await check("other/cart", "/a/b"),
  ]).toEqual([
    [{ endpoints, isAllowed: true, by: "shop/web[0]", code: null }],
    [{ endpoints, isAllowed: false, by: null, code: "authz.default_deny" }],
    [{ endpoints, isAllowed: false, by: null, code: "authz.default_deny" }],
  ]);
});

test("tells that there is no such service", async () => {
  const { status, body } = await ask("/api/v1/authz/check", { method: "POST", json: { to: "shop/none" } });
  expect([status, body]).toMatchObject([404, { code: "resource.not_found" }]);
});

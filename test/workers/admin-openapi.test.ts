import { describe, expect, test } from "vitest";
import { z } from "zod";
import page from "../../docs/admin-api.md?raw";
import { NEEDS } from "../../workers/admin/access.ts";
import { ask } from "./admin-kit.ts";

const description = z.object({
  openapi: z.literal("3.1.0"),
  info: z.object({ title: z.string(), version: z.string() }),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        operationId: z.string(),
        summary: z.string(),
        tags: z.array(z.string()),
        security: z.array(z.unknown()).optional(),
        parameters: z.array(z.object({ name: z.string(), in: z.string() })).default([]),
        responses: z.record(z.string(), z.unknown()),
      }),
    ),
  ),
});

const { body } = await ask("/api/v1/openapi.json");
const { paths } = description.parse(body);

const operations = Object.entries(paths).flatMap(([template, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    name: `${method.toUpperCase()} ${template}`,
    method: method.toUpperCase(),
    template,
    path: template.replaceAll(/\{\w+\}/g, "x"),
    operation,
  })),
);

const guarded = operations.filter(({ operation }) => NEEDS[operation.operationId] !== "public");

test("the document describes every operation", () => {
  expect(operations.map(({ name }) => name).sort()).toEqual([
    "DELETE /api/v1/access/{id}",
    "DELETE /api/v1/join-tokens/{id}",
    "DELETE /api/v1/resources/{kind}/{namespace}/{name}",
    "DELETE /api/v1/services/{namespace}/{name}/endpoints/{id}",
    "GET /.well-known/jwks.json",
    "GET /.well-known/spiffe/bundle",
    "GET /api/v1/access",
    "GET /api/v1/audit",
    "GET /api/v1/audit/chain",
    "GET /api/v1/ca",
    "GET /api/v1/ca/audit",
    "GET /api/v1/ca/revocations",
    "GET /api/v1/diff",
    "GET /api/v1/join-tokens",
    "GET /api/v1/openapi.json",
    "GET /api/v1/principal",
    "GET /api/v1/resources",
    "GET /api/v1/resources/{kind}/{namespace}/{name}",
    "GET /api/v1/revisions",
    "GET /api/v1/services",
    "GET /api/v1/services/{namespace}/{name}",
    "GET /api/v1/status",
    "GET /api/v1/topology",
    "GET /healthz",
    "GET /metrics",
    "POST /api/v1/access",
    "POST /api/v1/apply",
    "POST /api/v1/authz/check",
    "POST /api/v1/ca/certificates",
    "POST /api/v1/ca/load",
    "POST /api/v1/ca/revocations",
    "POST /api/v1/ca/rotate",
    "POST /api/v1/delete",
    "POST /api/v1/explain",
    "POST /api/v1/join",
    "POST /api/v1/join-tokens",
    "POST /api/v1/rollback",
    "POST /api/v1/services/{namespace}/{name}/endpoints/{id}/drain",
    "POST /api/v1/services/{namespace}/{name}/endpoints/{id}/heartbeat",
    "POST /api/v1/simulate",
    "POST /api/v1/tokens",
    "PUT /api/v1/services/{namespace}/{name}/endpoints/{id}",
  ]);
  expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
});

test.each(operations)("$name describes every parameter of its path", ({ template, operation }) => {
  const wanted = [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  const described = operation.parameters.filter((parameter) => parameter.in === "path");
  expect(described.map(({ name }) => name)).toEqual(wanted);
});

test("every reference in the document leads somewhere", () => {
  const known = z
    .object({ components: z.object({ schemas: z.record(z.string(), z.unknown()) }) })
    .parse(body);
  const used = [...JSON.stringify(body).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
    ([, id]) => id,
  );
  expect([...new Set(used)].sort()).toEqual(Object.keys(known.components.schemas).sort());
});

test("the page on the admin API has every operation", () => {
  const described = [...page.matchAll(/^\| `([A-Z]+ \/\S*)` \|/gm)].map(([, name]) => name);
  expect(described.sort()).toEqual(operations.map(({ name }) => name).sort());
});

test("the document says of exactly the public operations that they need no token", () => {
  const open = operations.filter(({ operation }) => operation.security?.length === 0);
  const isPublic = operations.filter(({ operation }) => NEEDS[operation.operationId] === "public");
  expect(open.map(({ name }) => name)).toEqual(isPublic.map(({ name }) => name));
  expect(open.map(({ template }) => template).sort()).toEqual([
    "/.well-known/jwks.json",
    "/.well-known/spiffe/bundle",
    "/api/v1/join",
    "/api/v1/openapi.json",
    "/healthz",
  ]);
});

test("every operation says what it needs, and nothing else does", () => {
  expect(Object.keys(NEEDS).sort()).toEqual(operations.map(({ operation }) => operation.operationId).sort());
});

describe("without a token", () => {
  test.each(guarded)("$name is refused", async ({ method, path }) => {
    const answer = await ask(path, { method, headers: { authorization: "" } });
    expect(answer.body).toMatchObject({ status: 401, code: "admin.unauthorized" });
  });

  test.each(guarded)("HEAD $template is refused", async ({ path }) => {
    expect((await ask(path, { method: "HEAD", headers: { authorization: "" } })).status).toBe(401);
  });

  test.each(["/healthz", "/api/v1/openapi.json"])("%s is served", async (path) => {
    expect((await ask(path, { headers: { authorization: "" } })).status).toBe(200);
  });
});

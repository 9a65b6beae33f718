/**
 * Tokens, and the keys to check them with.
 *
 * @module
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { authorityOf } from "../../../durable-objects/env.ts";
import * as wire from "../../../shared/wire/admin.ts";
import { assertEdit } from "../access.ts";
import type { AdminEnv } from "../context.ts";
import { answers, jsonBody, PUBLIC } from "../operation.ts";
import { unwrap } from "../problems.ts";

const tags = ["Identity"];

const issue = createRoute({
  method: "post",
  path: "/api/v1/tokens",
  operationId: "issueToken",
  summary: "Issues a JWT-SVID: whoever holds it is the workload",
  tags,
  request: { body: jsonBody(wire.tokenRequest) },
  responses: answers(wire.issuedToken, "The token."),
});

const keys = createRoute({
  method: "get",
  path: "/.well-known/jwks.json",
  operationId: "getKeys",
  summary: "The public keys of the mesh's authority",
  tags,
  ...PUBLIC,
  responses: answers(wire.keySet, "A JWK Set with every key that may have signed a token still valid."),
});

/** Adds the operations on tokens and keys. */
export function addIdentityRoutes(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(issue, async (c) => {
    const { workload, audience, ttlSeconds } = c.req.valid("json");
    assertEdit(c.var.principal, workload.slice(0, Math.max(0, workload.indexOf("/"))));
    const request = {
      workload,
      audience: audience ?? `spiffe://${c.env.SELVEDGE_TRUST_DOMAIN}`,
      ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    };
    return c.json(unwrap(await authorityOf(c.env).issue(request)), 200);
  });

  app.openapi(keys, async (c) => {
    const published = await authorityOf(c.env).keys();
    c.header("cache-control", "public, max-age=60");
    return c.json({ keys: published.map((key) => ({ ...key, use: "sig" as const })) }, 200);
  });
}

/**
 * Tokens, and the keys to check them with.
 *
 * @module
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { authorityOf } from "../../../durable-objects/env.ts";
import { trustBundle } from "../../../shared/identity/trust-bundle.ts";
import * as wire from "../../../shared/wire/admin.ts";
import { trustBundleDocument } from "../../../shared/wire/admin-authority.ts";
import { assertEdit, namespaceOf } from "../access.ts";
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

const bundle = createRoute({
  method: "get",
  path: "/.well-known/spiffe/bundle",
  operationId: "getTrustBundle",
  summary: "The SPIFFE trust bundle: roots of certificates and keys of tokens",
  tags,
  ...PUBLIC,
  responses: answers(trustBundleDocument, "A JWK Set as SPIFFE's Trust Domain and Bundle describes it."),
});

/** Adds the operations on tokens and what they are checked with. */
export function addIdentityRoutes(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(issue, async (c) => {
    const { workload, audience, ttlSeconds, boundTo } = c.req.valid("json");
    assertEdit(c.var.principal, namespaceOf(workload));
    const request = {
      requester: c.var.principal.id,
      workload,
      audience: audience ?? `spiffe://${c.env.SELVEDGE_TRUST_DOMAIN}`,
      ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
      ...(boundTo === undefined ? {} : { boundTo }),
    };
    return c.json(unwrap(await authorityOf(c.env).issue(request)), 200);
  });

  app.openapi(keys, async (c) => {
    const published = await authorityOf(c.env).keys();
    c.header("cache-control", "public, max-age=60");
    return c.json({ keys: published.map((key) => ({ ...key, use: "sig" as const })) }, 200);
  });

  app.openapi(bundle, async (c) => {
    const { roots, keys, sequence } = await authorityOf(c.env).bundle();
    c.header("cache-control", "public, max-age=60");
    return c.json(trustBundle(roots, keys, sequence), 200);
  });
}

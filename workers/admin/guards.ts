/**
 * What stands before every handler. A new route is protected by being there:
 * only what `NEEDS` calls public is served without a credential.
 *
 * @module
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context, MiddlewareHandler } from "hono";
import { tokenId } from "../../durable-objects/admin-token.ts";
import { adminOf, type Env } from "../../durable-objects/env.ts";
import type { Principal } from "../../shared/wire/access.ts";
import { MeshError, type Problem } from "../../shared/wire/problem.ts";
import { authorize, operationOf } from "./access.ts";
import { isBootstrap, readBearer, unknownBearer } from "./bearer.ts";
import { addressOf, type AdminEnv } from "./context.ts";
import { assertPatience, strike } from "./failures.ts";
import { tellBreakGlass } from "./note.ts";
import { principalOf } from "./oidc.ts";

type Guard = MiddlewareHandler<AdminEnv>;

/** Who bears the bootstrap token: the secret of whoever deployed the mesh. */
const BOOTSTRAP: Principal = { id: "admin", role: "admin", namespaces: null };

/** Names the request by the caller's `x-request-id` if it is short and plain, else anew. */
export const identifyRequest: Guard = async (c, next) => {
  const given = c.req.header("x-request-id");
  const isPlain = given !== undefined && /^[A-Za-z0-9._-]{1,64}$/.test(given);
  c.set("requestId", isPlain ? given : crypto.randomUUID());
  await next();
};

/** Keeps answers out of caches and out of every page's reach. */
export const hardenAnswer: Guard = async (c, next) => {
  await next();
  const { headers } = c.res;
  headers.set("x-request-id", c.get("requestId"));
  headers.set("x-content-type-options", "nosniff");
  headers.set("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
  headers.set("referrer-policy", "no-referrer");
  headers.set("cross-origin-resource-policy", "same-origin");
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
};

/**
 * Refuses a browser that acts for another site. Programs send neither Origin
 * nor Fetch Metadata; a browser that sends no Origin, on a simple GET, still
 * tells by `Sec-Fetch-Site` whose page asks.
 */
export const refuseForeignOrigin: Guard = async (c, next) => {
  const origin = c.req.header("origin");
  if (origin !== undefined && origin !== new URL(c.req.url).origin) {
    reject("csrf.origin", "The Origin header names another site than the admin API's own.");
  }
  const site = c.req.header("sec-fetch-site");
  if (site !== undefined && site !== "same-origin" && site !== "none") {
    reject("csrf.origin", "A page of another site asks.");
  }
  await next();
};

/** Refuses what a mesh carried here: an endpoint that points at the admin API must lead nowhere. */
export const refuseMeshTraffic: Guard = async (c, next) => {
  const isCarried = Object.keys(c.req.header()).some((name) => name.startsWith("x-selvedge-"));
  if (isCarried) reject("admin.forbidden", "The admin API does not answer calls that the mesh carries.");
  await next();
};

/**
 * Finds out who asks, and lets nobody past whose role does not allow what is
 * asked, except to what is public. What does not exist is told to those only
 * who have a credential.
 */
export function guardBy(app: OpenAPIHono<AdminEnv>): Guard {
  return async (c, next) => {
    const operation = operationOf(app, c.req.method, c.req.path);
    if (operation?.need !== "public") {
      const principal = await authenticate(c);
      c.set("principal", principal);
      if (operation !== null) authorize(principal, operation);
    }
    await next();
  };
}

async function authenticate(c: Context<AdminEnv>): Promise<Principal> {
  const address = addressOf(c);
  assertPatience(address, Date.now());
  const bearer = readBearer(c.req.header("authorization"), c.req.header("cf-access-jwt-assertion"));
  if (typeof bearer !== "string") throw new MeshError(bearer);
  const principal = await principalBy(bearer, c.env);
  if (principal === BOOTSTRAP) await tellBreakGlass(c, principal.id);
  if (principal !== null) return principal;
  await strike(c.env, address, c.var.requestId);
  throw new MeshError(unknownBearer(c.env.SELVEDGE_ADMIN_TOKEN_SHA256));
}

/** What a token says by its form is all that it is tried as. */
async function principalBy(token: string, env: Env): Promise<Principal | null> {
  if (await isBootstrap(token, env.SELVEDGE_ADMIN_TOKEN_SHA256)) return BOOTSTRAP;
  return tokenId(token) === null ? principalOf(token, env) : adminOf(env).bearer(token);
}

function reject(code: Problem["code"], detail: string): never {
  throw new MeshError({ code, detail });
}

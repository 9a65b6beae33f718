/**
 * What stands before every handler. A new route is protected by being there:
 * only what `PUBLIC_PATHS` names is served without a token.
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";
import { API_PREFIX } from "../../shared/wire/admin.ts";
import { MeshError, type Problem } from "../../shared/wire/problem.ts";
import { checkBearer } from "./bearer.ts";
import type { AdminEnv } from "./context.ts";

type Guard = MiddlewareHandler<AdminEnv>;

/** Served to everybody, by GET and HEAD: liveness, public keys, the API's own description. */
export const PUBLIC_PATHS: readonly string[] = [
  "/healthz",
  "/.well-known/jwks.json",
  `${API_PREFIX}/openapi.json`,
];

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

/** Refuses a browser that acts for another site. Programs send no Origin. */
export const refuseForeignOrigin: Guard = async (c, next) => {
  const origin = c.req.header("origin");
  if (origin !== undefined && origin !== new URL(c.req.url).origin) {
    reject("csrf.origin", "The Origin header names another site than the admin API's own.");
  }
  await next();
};

/** Refuses what a mesh carried here: an endpoint that points at the admin API must lead nowhere. */
export const refuseMeshTraffic: Guard = async (c, next) => {
  const isCarried = Object.keys(c.req.header()).some((name) => name.startsWith("x-selvedge-"));
  if (isCarried) reject("admin.forbidden", "The admin API does not answer calls that the mesh carries.");
  await next();
};

/** Lets nobody but the bearer of the admin token past, except to what is public. */
export const authenticate: Guard = async (c, next) => {
  const isRead = c.req.method === "GET" || c.req.method === "HEAD";
  if (!isRead || !PUBLIC_PATHS.includes(c.req.path)) {
    const problem = await checkBearer(c.req.header("authorization"), c.env.SELVEDGE_ADMIN_TOKEN_SHA256);
    if (problem !== null) throw new MeshError(problem);
  }
  await next();
};

function reject(code: Problem["code"], detail: string): never {
  throw new MeshError({ code, detail });
}

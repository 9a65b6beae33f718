/**
 * Tokens for the admin API, and the log of what was done with them and with
 * the mesh's configuration.
 *
 * @module
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { adminOf, authorityOf, registryOf, type Env } from "../../../durable-objects/env.ts";
import * as wire from "../../../shared/wire/admin-access.ts";
import { AUDIT_LOGS, auditChain, type AuditLog } from "../../../shared/wire/audit-chain.ts";
import type { ChainPage, ChainRequest } from "../../../shared/wire/audit-chain.ts";
import type { Revision } from "../../../shared/wire/registry-rpc.ts";
import { originOf, type AdminEnv } from "../context.ts";
import { answers, jsonBody } from "../operation.ts";
import { unwrap } from "../problems.ts";

const tags = ["Access"];

const whoAmI = createRoute({
  method: "get",
  path: "/api/v1/principal",
  operationId: "getPrincipal",
  summary: "Who the bearer is, and what it may do",
  tags,
  responses: answers(wire.principal, "The bearer."),
});

const grant = createRoute({
  method: "post",
  path: "/api/v1/access",
  operationId: "grantAccess",
  summary: "Makes a token for the admin API; it is told this once",
  tags,
  request: { body: jsonBody(wire.accessRequest) },
  responses: answers(wire.grantedAccess, "The token."),
});

const list = createRoute({
  method: "get",
  path: "/api/v1/access",
  operationId: "listAccess",
  summary: "Lists tokens for the admin API, without their secrets",
  tags,
  responses: answers(wire.accessList, "The tokens, by name."),
});

const revoke = createRoute({
  method: "delete",
  path: "/api/v1/access/{id}",
  operationId: "revokeAccess",
  summary: "Ends a token for the admin API at once",
  tags,
  request: { params: z.object({ id: z.string().regex(/^[0-9a-f]{12}$/, "is no token's id") }) },
  responses: answers(wire.revokedAccess, "It is gone."),
});

const audit = createRoute({
  method: "get",
  path: "/api/v1/audit",
  operationId: "listAudit",
  summary: "Who changed what, newest first",
  tags,
  request: {
    query: z.strictObject({
      limit: z
        .string()
        .regex(/^\d{1,4}$/, "write a whole number")
        .transform(Number)
        .pipe(z.int().min(1).max(1000))
        .default(100)
        .meta({ param: { name: "limit", in: "query" }, description: "1 to 1,000; 100 unless given." }),
      before: z
        .string()
        .regex(/^\d{1,15}$/, "write milliseconds since the epoch")
        .transform(Number)
        .optional()
        .meta({ description: "Only what happened before: the `at` of the last line, to go on." }),
      principal: z.string().max(320).optional(),
    }),
  },
  responses: answers(wire.auditList, "The log."),
});

const chain = createRoute({
  method: "get",
  path: "/api/v1/audit/chain",
  operationId: "readAuditChain",
  summary: "A log with its hashes, oldest first: what shows whether somebody has changed it",
  tags,
  request: {
    query: z.strictObject({
      log: z.enum(AUDIT_LOGS),
      after: z
        .string()
        .regex(/^\d{1,15}$/, "write a whole number")
        .default("0")
        .transform(Number)
        .meta({ description: "Only lines with greater numbers." }),
      limit: z
        .string()
        .regex(/^\d{1,4}$/, "write a whole number")
        .default("1000")
        .transform(Number)
        .pipe(z.int().min(1).max(1000))
        .meta({ param: { name: "limit", in: "query" }, description: "1 to 1,000; 1,000 unless given." }),
    }),
  },
  responses: answers(auditChain, "A part of the log. The last is the one whose last line is the head."),
});

/** Adds the operations on access. */
export function addAccessRoutes(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(whoAmI, (c) => c.json(c.var.principal, 200));

  app.openapi(grant, async (c) => {
    const { ttlSeconds, ...rest } = c.req.valid("json");
    const request = { ...rest, ttlMs: ttlSeconds * 1000 };
    return c.json(unwrap(await adminOf(c.env).grant(request, originOf(c))), 200);
  });

  app.openapi(list, async (c) => c.json({ items: await adminOf(c.env).tokens() }, 200));

  app.openapi(revoke, async (c) => {
    return c.json(unwrap(await adminOf(c.env).revoke(c.req.valid("param").id, originOf(c))), 200);
  });

  app.openapi(audit, async (c) => {
    const { limit, before, principal } = c.req.valid("query");
    const query = {
      limit,
      ...(before === undefined ? {} : { before }),
      ...(principal === undefined ? {} : { principal }),
    };
    const [events, revisions] = await Promise.all([
      adminOf(c.env).audit(query),
      registryOf(c.env).revisions(limit, {
        ...(before === undefined ? {} : { until: before }),
        ...(principal === undefined ? {} : { author: principal }),
        changesOfEach: MAX_CHANGES_OF_LINE,
      }),
    ]);
    const changes = revisions.map(entryOf);
    const items = [...events, ...changes].toSorted((a, b) => b.at - a.at).slice(0, limit);
    return c.json({ items }, 200);
  });

  app.openapi(chain, async (c) => {
    const { log, ...request } = c.req.valid("query");
    return c.json(await readChain(c.env, log, request), 200);
  });
}

/** Each log is kept by the object that writes it together with what it tells of. */
function readChain(env: Env, log: AuditLog, request: ChainRequest): Promise<ChainPage> {
  if (log === "operations") return adminOf(env).chain(request);
  return log === "issuance" ? authorityOf(env).chain(request) : registryOf(env).chain(request);
}

/** Changes that a line names; `diff` tells all. So the registry never has to leave a revision out of an answer. */
const MAX_CHANGES_OF_LINE = 20;

/** Revisions are the log of configuration: written with the change itself, and never without it. */
function entryOf({ at, author, reason, revision, changes, via }: Revision): wire.AuditList["items"][number] {
  const target = changes
    .map(
      ({ ref: { kind, namespace, name }, change }) =>
        `${change} ${kind} ${namespace === "" ? "" : `${namespace}/`}${name}`,
    )
    .join(", ");
  return {
    at,
    principal: author,
    action: reason,
    target: changes.length < MAX_CHANGES_OF_LINE ? target : `${target}, …`,
    detail: `revision ${revision}`,
    address: via?.address ?? "",
    requestId: via?.requestId ?? "",
    revision,
  };
}

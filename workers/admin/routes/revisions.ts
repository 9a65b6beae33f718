/**
 * The history of configuration.
 *
 * @module
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { registryOf } from "../../../durable-objects/env.ts";
import * as wire from "../../../shared/wire/admin.ts";
import { mayView, type Principal } from "../../../shared/wire/access.ts";
import type { Revision } from "../../../shared/wire/registry-rpc.ts";
import { viaOf, type AdminEnv } from "../context.ts";
import { answers, jsonBody } from "../operation.ts";
import { unwrap } from "../problems.ts";

const tags = ["Revisions"];

/** A whole number in a query, where everything is text. `Number("")` would be 0. */
const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/, "write a whole number")
  .transform(Number);

const list = createRoute({
  method: "get",
  path: "/api/v1/revisions",
  operationId: "listRevisions",
  summary: "Lists the latest revisions, newest first",
  tags,
  request: {
    query: z.strictObject({
      limit: wholeNumber
        .pipe(z.int().min(1).max(1000))
        .default(50)
        .meta({ param: { name: "limit", in: "query" }, description: "1 to 1,000; 50 unless given." }),
      before: wholeNumber.optional().meta({ description: "Only earlier ones, to go on from there." }),
    }),
  },
  responses: answers(wire.revisionList, "The revisions."),
});

const diff = createRoute({
  method: "get",
  path: "/api/v1/diff",
  operationId: "diffRevisions",
  summary: "Compares two revisions",
  tags,
  request: {
    query: z.strictObject({
      from: wholeNumber,
      to: wholeNumber.optional().meta({ description: "The current one unless given." }),
    }),
  },
  responses: answers(wire.diffAnswer, "The resources that differ."),
});

const rollback = createRoute({
  method: "post",
  path: "/api/v1/rollback",
  operationId: "rollback",
  summary: "Restores the content of an earlier revision, as a new revision",
  tags,
  request: { body: jsonBody(wire.rollbackRequest) },
  responses: answers(wire.applyAnswer, "What changed."),
});

/** Adds the operations on revisions. */
export function addRevisionRoutes(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(list, async (c) => {
    const { limit, before } = c.req.valid("query");
    const { principal } = c.var;
    const revisions = await registryOf(c.env).revisions(limit, {
      ...(before === undefined ? {} : { before }),
      ...(principal.namespaces === null ? {} : { namespaces: principal.namespaces }),
    });
    const items = revisions.flatMap((revision) => seenBy(principal, revision));
    return c.json({ items }, 200);
  });

  app.openapi(diff, async (c) => {
    const { from, to: wanted } = c.req.valid("query");
    const to = wanted ?? (await registryOf(c.env).status()).revision;
    const differences = unwrap(await registryOf(c.env).diff(from, to));
    const visible = differences.filter(({ ref }) => mayView(c.var.principal, ref.namespace));
    return c.json({ from, to, differences: visible }, 200);
  });

  app.openapi(rollback, async (c) => {
    const { revision } = c.req.valid("json");
    return c.json(unwrap(await registryOf(c.env).rollback(revision, c.var.principal.id, viaOf(c))), 200);
  });
}

/**
 * A revision as somebody may see it: nothing of one that changed only what is
 * not theirs to read. From where it was made is for the audit log.
 */
function seenBy(principal: Principal, { revision, at, author, reason, changes }: Revision) {
  const seen = changes.filter(({ ref }) => mayView(principal, ref.namespace));
  const isHidden = principal.namespaces !== null && seen.length === 0;
  return isHidden ? [] : [{ revision, at, author, reason, changes: seen }];
}

/**
 * The certificate authority: its state, its rotations, what it issues and
 * what it has revoked.
 *
 * @module
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { authorityOf } from "../../../durable-objects/env.ts";
import * as wire from "../../../shared/wire/admin-authority.ts";
import { assertEdit, namespaceOf } from "../access.ts";
import type { AdminEnv } from "../context.ts";
import { note } from "../note.ts";
import { answers, jsonBody } from "../operation.ts";
import { asPem } from "../pem-answer.ts";
import { unwrap } from "../problems.ts";

const tags = ["Certificate authority"];

const status = createRoute({
  method: "get",
  path: "/api/v1/ca",
  operationId: "getAuthority",
  summary: "Roots, intermediate and signing keys, and what becomes of them",
  tags,
  responses: answers(wire.authorityStatus, "The state."),
});

const rotate = createRoute({
  method: "post",
  path: "/api/v1/ca/rotate",
  operationId: "rotateAuthority",
  summary: "Replaces the signing key, the intermediate or the root, as soon as no call fails for it",
  tags,
  request: { body: jsonBody(wire.rotateRequest) },
  responses: answers(wire.authorityStatus, "The state, with what is to come."),
});

const load = createRoute({
  method: "post",
  path: "/api/v1/ca/load",
  operationId: "loadIntermediate",
  summary: "Signs with another authority's intermediate from now on",
  tags,
  request: { body: jsonBody(wire.loadRequest) },
  responses: answers(wire.authorityStatus, "The state, with what is to come."),
});

const certify = createRoute({
  method: "post",
  path: "/api/v1/ca/certificates",
  operationId: "issueCertificate",
  summary: "Issues an X509-SVID: whoever holds its key is the workload",
  tags,
  request: { body: jsonBody(wire.certificateRequest) },
  responses: answers(wire.issuedCertificate, "The certificate and its chain."),
});

const revoke = createRoute({
  method: "post",
  path: "/api/v1/ca/revocations",
  operationId: "revoke",
  summary: "Revokes a certificate, a token, or everything that a workload was issued until now",
  tags,
  request: { body: jsonBody(wire.revokeRequest) },
  responses: answers(wire.revocation, "The revocation."),
});

const revocations = createRoute({
  method: "get",
  path: "/api/v1/ca/revocations",
  operationId: "listRevocations",
  summary: "Revocations that still matter, newest first",
  tags,
  responses: answers(wire.revocationList, "The revocations."),
});

const audit = createRoute({
  method: "get",
  path: "/api/v1/ca/audit",
  operationId: "listIssued",
  summary: "What was issued to whom, newest first",
  tags,
  request: {
    query: z.strictObject({
      limit: z.coerce.number().pipe(z.int().min(1).max(1000)).default(100),
      before: z.coerce.number().pipe(z.int().min(1)).optional(),
      workload: z.string().max(2048).optional(),
    }),
  },
  responses: answers(wire.auditPage, "A page of the audit."),
});

/** Adds the operations on the certificate authority. */
export function addAuthorityRoutes(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(status, async (c) => c.json(await authorityOf(c.env).status(), 200));

  app.openapi(rotate, async (c) => {
    const { what } = c.req.valid("json");
    const state = unwrap(await authorityOf(c.env).turn(what));
    await note(c, { action: "ca.rotate", target: what, detail: "" });
    return c.json(state, 200);
  });

  app.openapi(load, async (c) => {
    const state = unwrap(await authorityOf(c.env).load(c.req.valid("json")));
    await note(c, { action: "ca.load", target: "intermediate", detail: "" });
    return c.json(state, 200);
  });

  app.openapi(certify, async (c) => {
    const { ttlSeconds, ...rest } = c.req.valid("json");
    assertEdit(c.var.principal, namespaceOf(rest.workload));
    const requester = c.var.principal.id;
    const request = { ...rest, ...(ttlSeconds === undefined ? {} : { ttlSeconds }), requester };
    return c.json(asPem(unwrap(await authorityOf(c.env).certify(request))), 200);
  });

  app.openapi(revoke, async (c) => {
    const request = { ...c.req.valid("json"), author: c.var.principal.id };
    const revoked = unwrap(await authorityOf(c.env).revoke(request));
    await note(c, {
      action: "ca.revoke",
      target: `${revoked.kind} ${revoked.value}`,
      detail: revoked.reason,
    });
    return c.json(revoked, 200);
  });

  app.openapi(revocations, async (c) => c.json({ items: await authorityOf(c.env).revocations() }, 200));

  app.openapi(audit, async (c) => {
    const { limit, before, workload } = c.req.valid("query");
    const page = {
      ...(before === undefined ? {} : { before }),
      ...(workload === undefined ? {} : { workload }),
    };
    const items = unwrap(await authorityOf(c.env).audit({ limit, ...page }));
    return c.json({ items, next: items.length < limit ? null : (items.at(-1)?.number ?? null) }, 200);
  });
}

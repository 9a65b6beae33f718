/**
 * Joining the mesh: a proof of who one is for a certificate, a token, or both.
 *
 * @module
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { z } from "zod";
import { authorityOf } from "../../../durable-objects/env.ts";
import { thumbprintOf } from "../../../shared/identity/thumbprint.ts";
import * as wire from "../../../shared/wire/admin-authority.ts";
import type { Joined } from "../../../shared/wire/authority-rpc.ts";
import { fail, succeed, type Outcome } from "../../../shared/wire/problem.ts";
import { assertEdit, namespaceOf } from "../access.ts";
import { addressOf, type AdminEnv } from "../context.ts";
import { assertPatience, strike } from "../failures.ts";
import { note } from "../note.ts";
import { answers, jsonBody, PUBLIC } from "../operation.ts";
import { asPem } from "../pem-answer.ts";
import { unwrap } from "../problems.ts";
import { serviceAccountOf } from "../service-account.ts";

const tags = ["Joining"];

const create = createRoute({
  method: "post",
  path: "/api/v1/join-tokens",
  operationId: "createJoinToken",
  summary: "Makes a token with which one workload joins, once; it is told this once",
  tags,
  request: { body: jsonBody(wire.joinTokenRequest) },
  responses: answers(wire.grantedJoinToken, "The token."),
});

const list = createRoute({
  method: "get",
  path: "/api/v1/join-tokens",
  operationId: "listJoinTokens",
  summary: "Lists join tokens without their secrets, newest first",
  tags,
  responses: answers(wire.joinTokenList, "The tokens."),
});

const remove = createRoute({
  method: "delete",
  path: "/api/v1/join-tokens/{id}",
  operationId: "deleteJoinToken",
  summary: "Ends a join token that has not been used",
  tags,
  request: { params: z.object({ id: z.string().regex(/^[0-9a-f]{12}$/, "is no token's id") }) },
  responses: answers(wire.joinToken, "It is gone."),
});

const join = createRoute({
  method: "post",
  path: "/api/v1/join",
  operationId: "join",
  summary: "Proves a workload, and issues its certificate, its token, or both",
  tags,
  ...PUBLIC,
  request: { body: jsonBody(wire.joinRequest) },
  responses: answers(wire.joined, "What was asked for."),
});

/** Adds the operations on joining. */
export function addJoinRoutes(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(create, async (c) => {
    const { scope, ttlSeconds } = c.req.valid("json");
    assertEdit(c.var.principal, namespaceOf(scope));
    const request = { scope, ttlSeconds, author: c.var.principal.id };
    const made = unwrap(await authorityOf(c.env).createJoinToken(request));
    await note(c, { action: "join-token.create", target: made.id, detail: scope });
    return c.json(made, 200);
  });

  app.openapi(list, async (c) => c.json({ items: await authorityOf(c.env).joinTokens() }, 200));

  app.openapi(remove, async (c) => {
    const gone = unwrap(await authorityOf(c.env).deleteJoinToken(c.req.valid("param").id));
    await note(c, { action: "join-token.delete", target: gone.id, detail: gone.scope });
    return c.json(gone, 200);
  });

  app.openapi(join, async (c) => {
    const address = addressOf(c);
    assertPatience(address, Date.now());
    const outcome = await redeem(c, c.req.valid("json"));
    // Counted with those who fail at the admin API: whoever guesses at one may guess at the other.
    if (!outcome.ok && outcome.problem.code.startsWith("authn.")) {
      await strike(c.env, address, c.var.requestId);
    }
    const { certificate, token } = unwrap(outcome);
    return c.json({ certificate: certificate === null ? null : asPem(certificate), token }, 200);
  });
}

type Body = z.output<typeof wire.joinRequest>;

async function redeem(c: Context<AdminEnv>, body: Body): Promise<Outcome<Joined>> {
  const { joinToken, assertion, serviceAccountToken = "", ...wishes } = body;
  if (assertion !== undefined) return authorityOf(c.env).renew({ assertion, ...defined(wishes) });
  if (joinToken !== undefined) return authorityOf(c.env).join({ token: joinToken, ...defined(wishes) });
  const account = await serviceAccountOf(serviceAccountToken, c.env);
  if (account === null) {
    const detail = "The token is of no service account that this mesh knows: check its audience and its end.";
    return fail({ code: "authn.token.invalid", detail });
  }
  if (wishes.workload !== undefined && wishes.workload !== account.workload) {
    return fail({ code: "admin.forbidden", detail: `The service account is ${account.workload} here.` });
  }
  return issueTo(c, account, wishes);
}

/** One after the other: where the second is refused the first was issued, and the workload may ask again. */
async function issueTo(
  c: Context<AdminEnv>,
  { workload, proof }: { readonly workload: string; readonly proof: string },
  { csr, certificateTtlSeconds, audience, bound }: Body,
): Promise<Outcome<Joined>> {
  const asker = { workload, requester: proof };
  const life = certificateTtlSeconds === undefined ? {} : { ttlSeconds: certificateTtlSeconds };
  const certificate = csr === undefined ? null : await authorityOf(c.env).certify({ ...asker, csr, ...life });
  if (certificate?.ok === false) return fail(certificate.problem);
  const binding =
    bound && certificate !== null ? { boundTo: await thumbprintOf(certificate.value.certificate) } : {};
  const token =
    audience === undefined ? null : await authorityOf(c.env).issue({ ...asker, audience, ...binding });
  if (token?.ok === false) return fail(token.problem);
  return succeed({ certificate: certificate?.value ?? null, token: token?.value ?? null });
}

/** Without what is undefined: the contract has absent fields instead. */
function defined({ workload, csr, certificateTtlSeconds, audience, bound }: Body) {
  return {
    ...(workload === undefined ? {} : { workload }),
    ...(csr === undefined ? {} : { csr }),
    ...(certificateTtlSeconds === undefined ? {} : { certificateTtlSeconds }),
    ...(audience === undefined ? {} : { audience }),
    ...(bound ? { isBound: true } : {}),
  };
}

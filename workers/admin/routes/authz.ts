/**
 * Checking whether a caller may make a call.
 *
 * @module
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { checkAccess } from "../../../shared/forward/check-access.ts";
import { createUserCache } from "../../../shared/forward/end-users.ts";
import * as wire from "../../../shared/wire/authz-check.ts";
import { MeshError } from "../../../shared/wire/problem.ts";
import { ask, runtimePorts } from "../../runtime.ts";
import type { AdminEnv } from "../context.ts";
import { knowledgeOf } from "../knowledge.ts";
import { answers, jsonBody } from "../operation.ts";

const check = createRoute({
  method: "post",
  path: "/api/v1/authz/check",
  operationId: "checkAccess",
  summary: "Whether a caller may make a call to a service, and which rules were looked at",
  tags: ["Observation"],
  request: { body: jsonBody(wire.checkRequest) },
  responses: answers(wire.checkAnswer, "The decisions. Nothing is sent to the service."),
});

/** Adds the operation. */
export function addAuthzRoutes(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(check, async (c) => {
    const { env } = c;
    const ports = { ...runtimePorts(c.executionCtx, c.req.raw), ask: ask.bind(null, env) };
    const verifier = { ports, state: { users: createUserCache(), keySets: new Map() } };
    const checked = await checkAccess(c.req.valid("json"), { knowledge: knowledgeOf(env), verifier });
    if (!checked.ok) throw new MeshError(checked.problem);
    return c.json(checked.value, 200);
  });
}

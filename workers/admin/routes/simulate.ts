/**
 * Trying a change of configuration on recorded calls.
 *
 * @module
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import * as wire from "../../../shared/wire/simulation.ts";
import { assertView } from "../access.ts";
import type { AdminEnv } from "../context.ts";
import { answers, jsonBody } from "../operation.ts";
import { simulateChange } from "../simulation.ts";

const simulation = createRoute({
  method: "post",
  path: "/api/v1/simulate",
  operationId: "simulate",
  summary: "Which recorded calls would be decided otherwise if documents were applied, or resources deleted",
  tags: ["Observation"],
  request: { body: jsonBody(wire.simulateRequest) },
  responses: answers(wire.simulateAnswer, "What would become of recorded calls. Nothing is changed."),
});

/** Adds the operation. */
export function addSimulateRoutes(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(simulation, async (c) => {
    const { documents, defaultNamespace, refs, prune } = c.req.valid("json");
    const { principal } = c.var;
    for (const { namespace } of refs) assertView(principal, namespace);
    const proposal = {
      documents,
      refs,
      visible: principal.namespaces,
      ...(principal.namespaces === null ? {} : { namespaces: principal.namespaces }),
      ...(defaultNamespace === undefined ? {} : { defaultNamespace }),
      ...(prune === undefined ? {} : { prune }),
    };
    return c.json(await simulateChange(c.env, proposal), 200);
  });
}

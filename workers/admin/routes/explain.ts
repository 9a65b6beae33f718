/**
 * Explaining what the mesh would do with a request.
 *
 * @module
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { explain as explainRequest } from "../../../shared/forward/explain.ts";
import * as wire from "../../../shared/wire/explain.ts";
import type { AdminEnv } from "../context.ts";
import { knowledgeOf } from "../knowledge.ts";
import { answers, jsonBody } from "../operation.ts";

const explain = createRoute({
  method: "post",
  path: "/api/v1/explain",
  operationId: "explain",
  summary: "Which listener, route, rule, backends and policies decide a request, and why the others do not",
  tags: ["Observation"],
  request: { body: jsonBody(wire.explainRequest) },
  responses: answers(wire.explanation, "The decisions. Nothing is sent."),
});

/** Adds the operation. */
export function addExplainRoutes(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(explain, async (c) =>
    c.json(await explainRequest(c.req.valid("json"), knowledgeOf(c.env)), 200),
  );
}

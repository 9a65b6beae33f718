/**
 * What the API says about itself: its OpenAPI document, and which methods a
 * path has.
 *
 * @module
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { API_PREFIX } from "../../shared/wire/admin.ts";
import { VERSION } from "../../shared/wire/version.ts";
import { fits } from "./access.ts";
import type { AdminEnv } from "./context.ts";
import { PUBLIC } from "./operation.ts";
import { answerProblem } from "./problems.ts";

const INFO = {
  openapi: "3.1.0",
  info: {
    title: "Selvedge admin API",
    version: VERSION,
    description: "Configuration, discovery, identity and observation of one mesh.",
  },
  security: [{ bearer: [] }],
};

/** Serves the OpenAPI 3.1 document, itself included. Comes after every other route. */
export function addDescription(app: OpenAPIHono<AdminEnv>): void {
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    description: "The bootstrap token, or one that an admin granted.",
  });
  app.openAPIRegistry.registerPath({
    method: "get",
    path: `${API_PREFIX}/openapi.json`,
    operationId: "getDescription",
    summary: "This document",
    tags: ["Observation"],
    ...PUBLIC,
    responses: { 200: { description: "OpenAPI 3.1.", content: { "application/json": { schema: {} } } } },
  });
  app.doc31(`${API_PREFIX}/openapi.json`, INFO);
}

/** Answers what no route took: 405 with `Allow` where the path exists, else 404. */
export function answerUnrouted(app: OpenAPIHono<AdminEnv>, c: Context<AdminEnv>): Response {
  const allowed = methodsOf(app, c.req.path);
  if (allowed.length === 0) {
    return answerProblem(c, { code: "route.none", detail: "The admin API has no such path." });
  }
  const allow = allowed.join(", ");
  const response = answerProblem(c, { code: "method.not_allowed", detail: `This path answers to ${allow}.` });
  response.headers.set("allow", allow);
  return response;
}

function methodsOf(app: OpenAPIHono<AdminEnv>, path: string): readonly string[] {
  const methods = app.openAPIRegistry.definitions.flatMap((definition) => {
    if (definition.type !== "route" || !fits(definition.route.path, path)) return [];
    const method = definition.route.method.toUpperCase();
    return method === "GET" ? ["GET", "HEAD"] : [method];
  });
  return [...new Set(methods)].sort();
}

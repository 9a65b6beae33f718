/**
 * Explaining what the mesh would do with a request.
 *
 * @module
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { registryOf, type Env } from "../../../durable-objects/env.ts";
import type { Unit, UnitKey } from "../../../shared/engine/snapshot.ts";
import type { Knowledge } from "../../../shared/forward/explain-inquiry.ts";
import { explain as explainRequest } from "../../../shared/forward/explain.ts";
import * as wire from "../../../shared/wire/explain.ts";
import { compilePattern } from "../../../shared/wire/pattern.ts";
import type { AdminEnv } from "../context.ts";
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

/** The units as a host would pull them; one answer brings those that a unit refers to. */
function knowledgeOf(env: Env): Knowledge {
  const units = new Map<UnitKey, Unit | null>();
  let version = 0;
  const pull = async (key: UnitKey): Promise<void> => {
    const answer = await registryOf(env).sync({ version: 0, held: [], wanted: [key] });
    version = answer.version;
    for (const [found, unit] of answer.units) units.set(found, unit);
  };
  return {
    unit: async (key) => {
      if (!units.has(key)) await pull(key);
      return units.get(key) ?? null;
    },
    version: () => version,
    meshDomain: env.SELVEDGE_MESH_DOMAIN,
    now: Date.now,
    compilePattern,
  };
}

/**
 * How the mesh is: for people, for Prometheus, for whoever restarts things.
 *
 * @module
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { registryOf, telemetryOf, type Env } from "../../../durable-objects/env.ts";
import * as wire from "../../../shared/wire/admin.ts";
import { VERSION } from "../../../shared/wire/version.ts";
import { mayView, type Principal } from "../../../shared/wire/access.ts";
import type { MeshStatus } from "../../../shared/wire/registry-rpc.ts";
import type { IsolatesStatus, Topology } from "../../../shared/wire/telemetry-rpc.ts";
import type { AdminEnv } from "../context.ts";
import { renderMetrics } from "../metrics.ts";
import { answers, PROBLEM, PUBLIC } from "../operation.ts";

const tags = ["Observation"];

const status = createRoute({
  method: "get",
  path: "/api/v1/status",
  operationId: "getStatus",
  summary: "The mesh in numbers",
  tags,
  responses: answers(wire.meshStatus, "The numbers."),
});

const topology = createRoute({
  method: "get",
  path: "/api/v1/topology",
  operationId: "getTopology",
  summary: "Who calls whom, how often, how well",
  tags,
  responses: answers(wire.topology, "Nodes and edges of the last minutes."),
});

const metrics = createRoute({
  method: "get",
  path: "/metrics",
  operationId: "getMetrics",
  summary: "Metrics for Prometheus, which can send the admin token as its bearer",
  tags,
  responses: {
    200: {
      description: "Prometheus text format 0.0.4.",
      content: { "text/plain": { schema: z.string() } },
    },
    default: PROBLEM,
  },
});

const healthz = createRoute({
  method: "get",
  path: "/healthz",
  operationId: "getHealth",
  summary: "Whether the Worker runs; asks no object",
  tags,
  ...PUBLIC,
  responses: answers(wire.healthAnswer, "It runs."),
});

/** Adds the operations that only look. */
export function addObserveRoutes(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(status, async (c) => c.json(await statusOf(c.env), 200));

  app.openapi(topology, async (c) => {
    return c.json(visibleTopology(await telemetryOf(c.env).topology(), c.var.principal), 200);
  });

  app.openapi(metrics, async (c) => {
    const [totals, status] = await Promise.all([telemetryOf(c.env).totals(), statusOf(c.env)]);
    return c.text(renderMetrics(totals, status), 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
    });
  });

  app.openapi(healthz, (c) => c.json({ status: "ok" as const, version: VERSION }, 200));
}

/** The calls from or to services of the namespaces that a principal may view. */
function visibleTopology(topology: Topology, principal: Principal): Topology {
  const isVisible = (service: string): boolean => {
    const slash = service.indexOf("/");
    return slash === -1 ? principal.namespaces === null : mayView(principal, service.slice(0, slash));
  };
  const edges = topology.edges.filter(
    ({ source, destination }) => isVisible(source) || isVisible(destination),
  );
  const named = new Set(edges.flatMap(({ source, destination }) => [source, destination]));
  return {
    windowMs: topology.windowMs,
    nodes: topology.nodes.filter((node) => isVisible(node) || named.has(node)),
    edges,
  };
}

/** The registry's numbers, with those of isolates. */
async function statusOf(env: Env): Promise<MeshStatus> {
  const [status, isolates] = await Promise.all([registryOf(env).status(), isolatesOf(env)]);
  return isolates === null ? status : { ...status, isolates };
}

async function isolatesOf(env: Env): Promise<IsolatesStatus | null> {
  try {
    return await telemetryOf(env).isolates();
  } catch {
    // Out of reach, or of the release before: the rest is worth telling without it.
    return null;
  }
}

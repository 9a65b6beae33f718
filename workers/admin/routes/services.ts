/**
 * Services as they are, and the endpoints that register themselves.
 *
 * @module
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { healthOf, registryOf, type Env } from "../../../durable-objects/env.ts";
import { readOwners, trespassesAt } from "../../../durable-objects/registry-tenancy.ts";
import { parseLocality } from "../../../shared/engine/locality.ts";
import * as wire from "../../../shared/wire/admin.ts";
import { MeshError } from "../../../shared/wire/problem.ts";
import { label, subdomain } from "../../../shared/wire/resource.ts";
import type { Lease } from "../../../shared/wire/rpc.ts";
import { mayView, type Principal } from "../../../shared/wire/access.ts";
import { assertView } from "../access.ts";
import type { AdminEnv } from "../context.ts";
import { note } from "../note.ts";
import { answers, jsonBody } from "../operation.ts";
import { unwrap } from "../problems.ts";

const tags = ["Services"];
const serviceParams = z.object({ namespace: label, name: label });
const endpointParams = z.object({ namespace: label, name: label, id: subdomain });
const endpointPath = "/api/v1/services/{namespace}/{name}/endpoints/{id}" as const;

const list = createRoute({
  method: "get",
  path: "/api/v1/services",
  operationId: "listServices",
  summary: "Lists services with their endpoints",
  tags,
  request: { query: z.strictObject({ namespace: label.optional() }) },
  responses: answers(wire.serviceList, "The services."),
});

const get = createRoute({
  method: "get",
  path: "/api/v1/services/{namespace}/{name}",
  operationId: "getService",
  summary: "Reads one service with its endpoints and their health",
  tags,
  request: { params: serviceParams },
  responses: answers(wire.serviceStatus, "The service."),
});

const register = createRoute({
  method: "put",
  path: endpointPath,
  operationId: "registerEndpoint",
  summary: "Registers an endpoint for as long as it sends heartbeats; again with the same id replaces it",
  tags,
  request: { params: endpointParams, body: jsonBody(wire.registrationRequest) },
  responses: answers(wire.lease, "How long the endpoint stays without a heartbeat."),
});

const heartbeat = createRoute({
  method: "post",
  path: `${endpointPath}/heartbeat`,
  operationId: "beatEndpoint",
  summary: "Renews an endpoint's lease; 404 asks to register again",
  tags,
  request: { params: endpointParams },
  responses: answers(wire.lease, "How long the endpoint stays from now."),
});

const drain = createRoute({
  method: "post",
  path: `${endpointPath}/drain`,
  operationId: "drainEndpoint",
  summary: "Keeps new calls from a registered endpoint until it registers anew",
  tags,
  request: { params: endpointParams },
  responses: answers(wire.lease, "It is draining; its lease goes on."),
});

const deregister = createRoute({
  method: "delete",
  path: endpointPath,
  operationId: "deregisterEndpoint",
  summary: "Takes a registered endpoint out at once",
  tags,
  request: { params: endpointParams },
  responses: answers(z.object({}), "It is gone."),
});

/** Adds the operations on services and registered endpoints. */
export function addServiceRoutes(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(list, async (c) => {
    const { namespace } = c.req.valid("query");
    const { principal } = c.var;
    if (namespace !== undefined) assertView(principal, namespace);
    const services = await registryOf(c.env).services(namespace ?? null);
    return c.json({ items: services.filter((service) => mayView(principal, service.namespace)) }, 200);
  });

  app.openapi(get, async (c) => {
    const { namespace, name } = c.req.valid("param");
    const services = await registryOf(c.env).services(namespace);
    const service = services.find((candidate) => candidate.name === name);
    if (service === undefined) {
      const detail = `There is no service ${name} in namespace ${namespace}.`;
      throw new MeshError({ code: "resource.not_found", detail });
    }
    return c.json(service, 200);
  });

  app.openapi(register, async (c) => {
    const { id, ...place } = c.req.valid("param");
    const { joined, ttlSeconds, locality, ...registration } = c.req.valid("json");
    assertOwnAddress(c.var.principal, c.env, { namespace: place.namespace, address: registration.address });
    const request = {
      ...registration,
      id,
      isJoined: joined,
      ttlMs: ttlSeconds * 1000,
      ...(locality === undefined ? {} : { locality: parseLocality(locality) }),
    };
    const service = serviceKey(place);
    const lease = unwrap(await healthOf(c.env, service).register(service, request));
    if (lease.isChanged !== false) {
      await note(c, { action: "endpoint.register", target: `${service}/${id}`, detail: request.address });
    }
    return c.json(leaseOf(lease), 200);
  });

  app.openapi(heartbeat, async (c) => {
    const { id, ...place } = c.req.valid("param");
    const service = serviceKey(place);
    return c.json(leaseOf(unwrap(await healthOf(c.env, service).heartbeat(service, id))), 200);
  });

  app.openapi(drain, async (c) => {
    const { id, ...place } = c.req.valid("param");
    const service = serviceKey(place);
    const lease = unwrap(await healthOf(c.env, service).drain(service, id));
    if (lease.isChanged !== false) {
      await note(c, { action: "endpoint.drain", target: `${service}/${id}`, detail: "" });
    }
    return c.json(leaseOf(lease), 200);
  });

  app.openapi(deregister, async (c) => {
    const { id, ...place } = c.req.valid("param");
    const service = serviceKey(place);
    unwrap(await healthOf(c.env, service).deregister(service, id));
    await note(c, { action: "endpoint.deregister", target: `${service}/${id}`, detail: "" });
    return c.json({}, 200);
  });
}

function leaseOf({ id, expiresAt, heartbeatEveryMs }: Lease): z.infer<typeof wire.lease> {
  return { id, expiresAt, heartbeatEveryMs };
}

function serviceKey(place: z.infer<typeof serviceParams>): string {
  return `${place.namespace}/${place.name}`;
}

/** Refuses an owner of namespaces who would have the mesh call a Worker that is not theirs. */
function assertOwnAddress(
  { role }: Principal,
  { SELVEDGE_BINDING_NAMESPACES: owners }: Env,
  { namespace, address }: { readonly namespace: string; readonly address: string },
): void {
  const fields = role === "admin" ? [] : trespassesAt(address, namespace, readOwners(owners));
  if (fields.length === 0) return;
  throw new MeshError({
    code: "admin.forbidden",
    detail: "The endpoint was not registered; see fields.",
    fields,
  });
}

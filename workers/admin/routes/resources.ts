/**
 * Reading, applying and deleting resources.
 *
 * @module
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { registryOf } from "../../../durable-objects/env.ts";
import * as wire from "../../../shared/wire/admin.ts";
import { MeshError } from "../../../shared/wire/problem.ts";
import { label, subdomain, type ResourceRef } from "../../../shared/wire/resource.ts";
import type { ApplyRequest } from "../../../shared/wire/registry-rpc.ts";
import { findKind, kindsOf, type KindInfo } from "../../../shared/wire/resources/kinds.ts";
import { mayView, type Principal } from "../../../shared/wire/access.ts";
import { assertEdit, assertView } from "../access.ts";
import { viaOf, type AdminEnv } from "../context.ts";
import { answers, jsonBody } from "../operation.ts";
import { malformed, unwrap } from "../problems.ts";
import { applyWithin } from "../simulation.ts";

const tags = ["Resources"];

const kindParam = z.string().max(63).meta({ description: "`HTTPRoute`, `httproutes` or a short name." });

const refParams = z.object({
  kind: kindParam,
  namespace: label.or(z.literal(wire.NO_NAMESPACE)).meta({ description: "`-` for kinds without namespace." }),
  name: subdomain,
});

const apply = createRoute({
  method: "post",
  path: "/api/v1/apply",
  operationId: "apply",
  summary: "Applies many resources as one revision: all of them or none",
  tags,
  request: { body: jsonBody(wire.applyRequest) },
  responses: answers(wire.applyAnswer, "What changed, or would change on a dry run."),
});

const list = createRoute({
  method: "get",
  path: "/api/v1/resources",
  operationId: "listResources",
  summary: "Lists resources",
  tags,
  request: { query: z.strictObject({ kind: kindParam.optional(), namespace: label.optional() }) },
  responses: answers(wire.resourceList, "The resources, by kind, namespace and name."),
});

const get = createRoute({
  method: "get",
  path: "/api/v1/resources/{kind}/{namespace}/{name}",
  operationId: "getResource",
  summary: "Reads one resource",
  tags,
  request: { params: refParams },
  responses: answers(wire.resource, "The resource as it is stored, with defaults filled in."),
});

const remove = createRoute({
  method: "delete",
  path: "/api/v1/resources/{kind}/{namespace}/{name}",
  operationId: "deleteResource",
  summary: "Deletes one resource, as one revision",
  tags,
  request: { params: refParams },
  responses: answers(wire.applyAnswer, "What changed."),
});

const removeMany = createRoute({
  method: "post",
  path: "/api/v1/delete",
  operationId: "deleteResources",
  summary: "Deletes many resources as one revision: all of them or none",
  tags,
  request: { body: jsonBody(wire.deleteRequest) },
  responses: answers(wire.applyAnswer, "What changed."),
});

/** Adds the operations on resources. */
export function addResourceRoutes(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(apply, async (c) => {
    const {
      documents,
      defaultNamespace,
      dryRun,
      ifRevision,
      prune,
      maxFlips,
      force = false,
    } = c.req.valid("json");
    const request = {
      documents,
      ...madeBy(c.var.principal),
      via: viaOf(c),
      ...(defaultNamespace === undefined ? {} : { defaultNamespace }),
      ...(dryRun === undefined ? {} : { dryRun }),
      ...(ifRevision === undefined ? {} : { ifRevision }),
      ...(prune === undefined ? {} : { prune }),
    };
    const applied =
      maxFlips === undefined
        ? registryOf(c.env).apply(request)
        : applyWithin(c.env, request, { maxFlips, force });
    return c.json(unwrap(await applied), 200);
  });

  app.openapi(list, async (c) => {
    const { kind, namespace } = c.req.valid("query");
    const { principal } = c.var;
    if (namespace !== undefined) assertView(principal, namespace);
    const request = {
      ...(kind === undefined ? {} : { kind: requireKind(kind).kind }),
      ...(namespace === undefined ? {} : { namespace }),
    };
    const items = await registryOf(c.env).list(request);
    return c.json({ items: items.filter(({ metadata }) => mayView(principal, metadata.namespace)) }, 200);
  });

  app.openapi(get, async (c) => {
    return c.json(unwrap(await registryOf(c.env).get(refOf(c.req.valid("param")))), 200);
  });

  app.openapi(remove, async (c) => {
    const ref = refOf(c.req.valid("param"));
    return c.json(unwrap(await registryOf(c.env).remove([ref], c.var.principal.id, viaOf(c))), 200);
  });

  app.openapi(removeMany, async (c) => {
    const { refs } = c.req.valid("json");
    for (const { namespace } of refs) assertEdit(c.var.principal, namespace);
    return c.json(unwrap(await registryOf(c.env).remove(refs, c.var.principal.id, viaOf(c))), 200);
  });
}

/** Who changes something, and how far that goes. */
function madeBy({ id, role, namespaces }: Principal): Pick<ApplyRequest, "author" | "namespaces"> {
  return role === "admin" ? { author: id } : { author: id, namespaces: namespaces ?? [] };
}

function refOf(params: z.infer<typeof refParams>): ResourceRef {
  const info = requireKind(params.kind);
  const isGlobal = params.namespace === wire.NO_NAMESPACE;
  if (isGlobal === info.isNamespaced) {
    const message = info.isNamespaced
      ? `${info.kind} lives in a namespace: name it`
      : `${info.kind} has no namespace: write ${wire.NO_NAMESPACE}`;
    throw new MeshError(
      malformed("The path is not valid; see fields.", [{ path: "path.namespace", message }]),
    );
  }
  const namespace = isGlobal ? "" : params.namespace;
  return { apiVersion: info.apiVersion, kind: info.kind, namespace, name: params.name };
}

function requireKind(name: string): KindInfo {
  const info = findKind(name);
  if (info !== undefined) return info;
  const known = kindsOf().map(({ plural }) => plural);
  throw new MeshError({ code: "resource.not_found", detail: `No such kind; there are ${known.join(", ")}.` });
}

/**
 * The status of routes: for each parent whether it takes the route, and
 * whether all that the route refers to is there.
 *
 * @module
 */
import { CONTROLLER } from "../wire/resources/gateway-class.ts";
import type { ParentRef } from "../wire/resources/route-fields.ts";
import { obstacleAt, parentKey, parentPort, type AttachRefusal } from "./attach.ts";
import { backendService, judgeBackend, targetsOf, type Origin, type Target } from "./backends.ts";
import { condition, type Condition, type Obstacle } from "./condition.ts";
import { gatewayOf, listenersBy } from "./listeners.ts";
import type { AnyRoute } from "./route-kinds.ts";
import { findGateway, findService, type World } from "./state.ts";

/** The status of a route of any kind. */
export function routeStatus(world: World, route: AnyRoute): object {
  return {
    parents: route.spec.parentRefs.map((parentRef) => ({
      parentRef: { ...parentRef, namespace: parentRef.namespace ?? route.metadata.namespace },
      controllerName: CONTROLLER,
      conditions: [acceptedBy(world, route, parentRef), resolvedAt(world, route, parentRef)],
    })),
  };
}

function acceptedBy(world: World, route: AnyRoute, ref: ParentRef): Condition {
  const obstacle = ref.kind === "Service" ? noService(world, route, ref) : noListener(world, route, ref);
  return condition(route.metadata, "Accepted", obstacle ?? "Accepted");
}

function noService(world: World, route: AnyRoute, ref: ParentRef): Obstacle | null {
  const [, name = ""] = parentKey(route, ref).split(" ");
  if (parentPort(world, route, ref) !== undefined) return null;
  const service = findService(world, name);
  const message =
    service === undefined
      ? `Service ${name} does not exist`
      : `Service ${name} has no such port: it has ${service.spec.ports.map(({ port }) => port).join(", ")}`;
  return { reason: "NoMatchingParent", message };
}

/** Of several listeners' reasons the one counts that comes closest to taking the route. */
const CLOSENESS: readonly AttachRefusal["reason"][] = [
  "NoMatchingParent",
  "NotAllowedByListeners",
  "NoMatchingListenerHostname",
];

function noListener(world: World, route: AnyRoute, ref: ParentRef): Obstacle | null {
  const owner = parentKey(route, ref);
  const gateway = gatewayOf(world, owner);
  if (gateway === null || findGateway(world, gateway) === undefined) {
    return { reason: "NoMatchingParent", message: `${owner} does not exist, or its Gateway does not` };
  }
  const answers = listenersBy(world, owner).map((entry) => ({
    name: entry.listener.name,
    refusal: obstacleAt(world, entry, ref, route),
  }));
  if (answers.some(({ refusal }) => refusal === null)) return null;
  const reasons = answers.flatMap(({ refusal }) => refusal?.reason ?? []);
  const words = answers.map(({ name, refusal }) => `listener ${name} ${refusal?.message ?? ""}`);
  return {
    reason: CLOSENESS.findLast((reason) => reasons.includes(reason)) ?? "NoMatchingParent",
    message: words.length === 0 ? `${owner} has no listeners of its Gateway` : words.join("; "),
  };
}

function resolvedAt(world: World, route: AnyRoute, ref: ParentRef): Condition {
  const origin = ref.kind === "Service" ? "mesh" : "gateway";
  for (const target of targetsOf(route)) {
    const obstacle = unresolved(world, route, target, origin);
    if (obstacle !== null) return condition(route.metadata, "ResolvedRefs", obstacle);
  }
  return condition(route.metadata, "ResolvedRefs", "ResolvedRefs");
}

function unresolved(world: World, route: AnyRoute, target: Target, origin: Origin): Obstacle | null {
  const service = backendService(route, target);
  switch (judgeBackend(world, route, target, origin)) {
    case "backend.kind":
      return { reason: "InvalidKind", message: `${target.kind} ${service} is no Service` };
    case "backend.forbidden": {
      const [namespace = ""] = service.split("/");
      const message = `no ReferenceGrant in ${namespace} lets ${route.kind}s of ${route.metadata.namespace} use Service ${service}`;
      return { reason: "RefNotPermitted", message };
    }
    case "backend.missing": {
      const isThere = findService(world, service) !== undefined;
      const message = isThere
        ? `Service ${service} has no port ${target.port ?? ""}`
        : `Service ${service} does not exist`;
      return { reason: "BackendNotFound", message };
    }
    case null:
      return null;
  }
}

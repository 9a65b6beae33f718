/**
 * Status: what became of a resource of Gateway API, in its own conditions and
 * reasons. Computed from the world when somebody asks and never stored, so
 * that it cannot be out of date; conditions therefore have no
 * `lastTransitionTime`.
 *
 * @module
 */
import type { Resource } from "../wire/resource.ts";
import type { BackendTlsPolicySpec } from "../wire/resources/backend-tls-policy.ts";
import { CONTROLLER, type GatewayClassSpec } from "../wire/resources/gateway-class.ts";
import { isKind } from "../wire/resources/schemas.ts";
import { faultOfAuthority } from "./certificates.ts";
import { condition, GATEWAY_GROUP, type Condition } from "./condition.ts";
import { gatewayStatus, listenerSetStatus } from "./gateway-status.ts";
import { compareText } from "./multimap.ts";
import { routeOf } from "./route-kinds.ts";
import { routeStatus } from "./route-status.ts";
import { findService, type World } from "./state.ts";

/** The `status` of a resource as the world has it now; `null` for kinds that have none here. */
export function statusOf(world: World, resource: Resource): object | null {
  if (isKind(resource, "Gateway")) return gatewayStatus(world, resource);
  if (isKind(resource, "ListenerSet")) return listenerSetStatus(world, resource);
  if (isKind(resource, "GatewayClass")) return classStatus(resource);
  if (isKind(resource, "BackendTLSPolicy")) return backendTlsStatus(world, resource);
  const route = routeOf(resource);
  return route === null ? null : routeStatus(world, route);
}

/** A class of another controller is none of the mesh's business. */
function classStatus({ metadata, spec }: Resource<GatewayClassSpec>): object | null {
  if (spec.controllerName !== CONTROLLER) return null;
  const parameters = spec.parametersRef;
  const accepted =
    parameters === undefined
      ? condition(metadata, "Accepted", "Accepted")
      : condition(metadata, "Accepted", {
          reason: "InvalidParameters",
          message: `spec.parametersRef: the mesh has no ${parameters.kind}`,
        });
  return { conditions: [accepted] };
}

/** One for each Gateway through which the targets are called; without one, for the target itself. */
function backendTlsStatus(world: World, policy: Resource<BackendTlsPolicySpec>): object {
  const { namespace } = policy.metadata;
  const ancestors = policy.spec.targetRefs.flatMap(({ name }) => {
    const gateways = gatewaysTo(world, `${namespace}/${name}`);
    if (gateways.length === 0) return [{ group: "", kind: "Service", namespace, name }];
    return gateways.map((gateway) => {
      const [at = "", gatewayName = ""] = gateway.split("/");
      return { group: GATEWAY_GROUP, kind: "Gateway", namespace: at, name: gatewayName };
    });
  });
  const distinct = new Map(ancestors.map((ancestor) => [JSON.stringify(ancestor), ancestor]));
  const conditions = backendTlsConditions(world, policy);
  return {
    ancestors: [...distinct.values()].map((ancestorRef) => ({
      ancestorRef,
      controllerName: CONTROLLER,
      conditions,
    })),
  };
}

function gatewaysTo(world: World, service: string): string[] {
  const routes = [...(world.routesByBackend.get(service) ?? [])];
  const listeners = routes.flatMap((route) => world.attachments.byRoute.get(route) ?? []);
  const gateways = listeners.map(({ listener }) => listener.split("/").slice(0, 2).join("/"));
  return [...new Set(gateways)].sort(compareText);
}

function backendTlsConditions(
  world: World,
  { metadata, spec }: Resource<BackendTlsPolicySpec>,
): readonly Condition[] {
  const from = { kind: "BackendTLSPolicy", namespace: metadata.namespace };
  const { caCertificateRefs } = spec.validation;
  const faults = caCertificateRefs.flatMap((ref) => faultOfAuthority(world, from, ref) ?? []);
  const [first] = faults;
  const resolved =
    first === undefined
      ? condition(metadata, "ResolvedRefs", "ResolvedRefs")
      : condition(metadata, "ResolvedRefs", {
          reason: first.kind === "unknown-kind" ? "InvalidKind" : "InvalidCACertificateRef",
          message: first.message,
        });
  const missing = spec.targetRefs.find(({ name }) => {
    return findService(world, `${metadata.namespace}/${name}`) === undefined;
  });
  const isWithoutAuthority = caCertificateRefs.length > 0 && faults.length === caCertificateRefs.length;
  if (missing !== undefined) {
    const message = `Service ${missing.name} does not exist`;
    return [condition(metadata, "Accepted", { reason: "TargetNotFound", message }), resolved];
  }
  if (isWithoutAuthority) {
    const message = "no reference in spec.validation.caCertificateRefs leads to a certificate";
    return [condition(metadata, "Accepted", { reason: "NoValidCACertificate", message }), resolved];
  }
  return [condition(metadata, "Accepted", "Accepted"), resolved];
}

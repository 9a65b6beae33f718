/**
 * Services as people ask for them.
 *
 * @module
 */
import type { HealthCheck } from "../engine/health-check.ts";
import type { Millis } from "../engine/time.ts";
import { formatAddress } from "../wire/address.ts";
import type { MeshStatus, ServiceStatus } from "../wire/registry-rpc.ts";
import { endpointsOf } from "./compile.ts";
import { conditionOf } from "./health-check.ts";
import { endpointId, type Member } from "./members.ts";
import { compareText, inOrder } from "./multimap.ts";
import type { Space, World } from "./state.ts";
import { trafficAt } from "./traffic.ts";

/** All services of a namespace, or of the mesh (`null`), as they are at `now`, by namespace and name. */
export function servicesOf(world: World, namespace: string | null, now: Millis): ServiceStatus[] {
  return [...world.spaces]
    .filter(([name]) => namespace === null || name === namespace)
    .sort(([a], [b]) => compareText(a, b))
    .flatMap(([name, space]) =>
      inOrder(space.services).map((service) => describeService({ space, namespace: name, now }, service)),
    );
}

/** Services in numbers. */
export function countServices(
  services: readonly ServiceStatus[],
): Pick<MeshStatus, "services" | "endpoints" | "healthyEndpoints" | "ejected"> {
  const endpoints = services.flatMap((service) => service.endpoints);
  const ejected = services
    .map(({ namespace, name, endpoints: own }) => ({
      service: `${namespace}/${name}`,
      endpoints: own.filter(({ isEjected }) => isEjected).length,
    }))
    .filter((service) => service.endpoints > 0);
  return {
    services: services.length,
    endpoints: endpoints.length,
    healthyEndpoints: endpoints.filter(({ health, isEjected }) => health === "healthy" && !isEjected).length,
    ...(ejected.length === 0 ? {} : { ejected }),
  };
}

function describeService(
  { space, namespace, now }: { readonly space: Space; readonly namespace: string; readonly now: Millis },
  { metadata: { name }, spec }: { metadata: { name: string }; spec: Pick<ServiceStatus, "ports"> },
): ServiceStatus {
  const check = trafficAt(space, name)?.check ?? null;
  return {
    namespace,
    name,
    ports: spec.ports.map((port) => ({ name: port.name, port: port.port })),
    endpoints: endpointsOf(space, name).map((member) =>
      describeEndpoint({ space, service: name, check, now }, member),
    ),
  };
}

interface Place {
  readonly space: Space;
  readonly service: string;
  readonly check: HealthCheck | null;
  readonly now: Millis;
}

function describeEndpoint(
  { space, service, check, now }: Place,
  member: Member,
): ServiceStatus["endpoints"][number] {
  const id = endpointId(member, service);
  return {
    id,
    address: formatAddress(member.address),
    version: member.labels["version"] ?? "",
    weight: member.weight,
    health: conditionOf(space, service, member, check).health,
    isEjected:
      space.ejected.get(service)?.has(id) === true || now < (space.outliers.get(service)?.get(id) ?? 0),
    source: member.source,
  };
}

/**
 * Services as people ask for them.
 *
 * @module
 */
import type { HealthCheck } from "../engine/health-check.ts";
import { formatAddress } from "../wire/address.ts";
import type { ServiceStatus } from "../wire/rpc.ts";
import { endpointsOf } from "./compile.ts";
import { conditionOf } from "./health-check.ts";
import { endpointId, type Member } from "./members.ts";
import { compareText, inOrder } from "./multimap.ts";
import type { Space, World } from "./state.ts";
import { trafficAt } from "./traffic.ts";

/** All services of a namespace, or of the mesh (`null`), by namespace and name. */
export function servicesOf(world: World, namespace: string | null): ServiceStatus[] {
  return [...world.spaces]
    .filter(([name]) => namespace === null || name === namespace)
    .sort(([a], [b]) => compareText(a, b))
    .flatMap(([name, space]) =>
      inOrder(space.services).map((service) => describeService(space, name, service)),
    );
}

function describeService(
  space: Space,
  namespace: string,
  { metadata: { name }, spec }: { metadata: { name: string }; spec: Pick<ServiceStatus, "ports"> },
): ServiceStatus {
  const check = trafficAt(space, name)?.check ?? null;
  return {
    namespace,
    name,
    ports: spec.ports.map((port) => ({ name: port.name, port: port.port })),
    endpoints: endpointsOf(space, name).map((member) =>
      describeEndpoint({ space, service: name, check }, member),
    ),
  };
}

interface Place {
  readonly space: Space;
  readonly service: string;
  readonly check: HealthCheck | null;
}

function describeEndpoint(
  { space, service, check }: Place,
  member: Member,
): ServiceStatus["endpoints"][number] {
  const id = endpointId(member, service);
  return {
    id,
    address: formatAddress(member.address),
    version: member.labels["version"] ?? "",
    weight: member.weight,
    health: conditionOf(space, service, member, check).health,
    isEjected: space.ejected.get(service)?.has(id) ?? false,
    source: member.source,
  };
}

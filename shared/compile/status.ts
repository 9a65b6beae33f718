/**
 * Services as people ask for them.
 *
 * @module
 */
import { formatAddress } from "../wire/address.ts";
import type { ServiceStatus } from "../wire/rpc.ts";
import { endpointsOf } from "./compile.ts";
import { endpointId, type Member } from "./members.ts";
import { compareText, inOrder } from "./multimap.ts";
import type { Space, World } from "./state.ts";

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
  return {
    namespace,
    name,
    ports: spec.ports.map((port) => ({ name: port.name, port: port.port })),
    endpoints: endpointsOf(space, name).map((member) => describeEndpoint(space, name, member)),
  };
}

function describeEndpoint(space: Space, service: string, member: Member): ServiceStatus["endpoints"][number] {
  const id = endpointId(member, service);
  return {
    id,
    address: formatAddress(member.address),
    version: member.labels["version"] ?? "",
    weight: member.weight,
    health: member.health,
    isEjected: space.ejected.get(service)?.has(id) ?? false,
    source: member.source,
  };
}

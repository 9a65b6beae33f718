/**
 * Gateways as policies see them: workloads with labels, as Istio's are.
 *
 * @module
 */
import { TRANSLATED_FROM } from "../front-doors/translation.ts";
import type { Resource } from "../wire/resource.ts";
import type { GatewaySpec } from "../wire/resources/gateway.ts";
import { hasLabels, type Labels } from "./labels.ts";
import { SYSTEM_NAMESPACE, type Policy } from "./policy.ts";
import { findGateway, type World } from "./state.ts";

/** The label that every Gateway's workload has (Gateway API). */
const GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name";

interface GatewaySubject {
  readonly namespace: string;
  readonly labels: Labels;
}

/**
 * A Gateway's workload stands in its own namespace, with the labels of its
 * infrastructure. One of Istio's names its workload by a selector; that is the
 * mesh's, and stands in the system namespace.
 */
function subjectOf({ metadata, spec }: Resource<GatewaySpec>): GatewaySubject {
  const isTranslated = TRANSLATED_FROM in metadata.annotations;
  return {
    namespace: isTranslated ? SYSTEM_NAMESPACE : metadata.namespace,
    labels: { ...spec.infrastructure?.labels, [GATEWAY_NAME]: metadata.name },
  };
}

/** Whether a policy is about a Gateway (`namespace/name`). */
export function concernsGateway(world: World, { namespace, scope }: Policy, qualified: string): boolean {
  const gateway = findGateway(world, qualified);
  if (gateway === undefined) return false;
  if (scope.kind === "targets")
    return namespace === gateway.metadata.namespace && scope.gateways.has(gateway.metadata.name);
  return isInReach(namespace, subjectOf(gateway)) && hasLabels(subjectOf(gateway).labels, scope.labels);
}

/** The Gateways (`namespace/name`) that a policy of a namespace selects by labels. */
export function gatewaysIn(world: World, namespace: string, labels: Labels): string[] {
  return [...world.spaces].flatMap(([own, { gateways }]) =>
    [...gateways.values()]
      .filter((gateway) => {
        const subject = subjectOf(gateway);
        return isInReach(namespace, subject) && hasLabels(subject.labels, labels);
      })
      .map(({ metadata }) => `${own}/${metadata.name}`),
  );
}

function isInReach(namespace: string, subject: GatewaySubject): boolean {
  return namespace === subject.namespace || namespace === SYSTEM_NAMESPACE;
}

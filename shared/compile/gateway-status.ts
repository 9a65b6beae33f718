/**
 * The status of Gateways and ListenerSets, and of each of their listeners.
 *
 * @module
 */
import type { Metadata, Resource } from "../wire/resource.ts";
import type { GatewaySpec } from "../wire/resources/gateway.ts";
import type { ListenerSetSpec } from "../wire/resources/listener-set.ts";
import { faultOfAuthority, faultOfCertificate, type RefFault } from "./certificates.ts";
import { condition, GATEWAY_GROUP, type Condition, type Obstacle } from "./condition.ts";
import type { Referrer } from "./grants.ts";
import {
  admitsSet,
  carriedBy,
  kindsAt,
  listenersBy,
  parentOf,
  setsAt,
  validationAt,
  type ListenerEntry,
} from "./listeners.ts";
import { outdoneAt } from "./route-conflicts.ts";
import { findGateway, type World } from "./state.ts";

interface ListenerStatus {
  readonly name: string;
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
  /** Routes that the listener takes, whether or not their backends are there. */
  readonly attachedRoutes: number;
  readonly conditions: readonly Condition[];
}

/** What Gateways and ListenerSets have in common. */
export interface ListenersStatus {
  readonly conditions: readonly Condition[];
  readonly listeners: readonly ListenerStatus[];
}

/** The status of a Gateway. */
export function gatewayStatus(
  world: World,
  gateway: Resource<GatewaySpec>,
): ListenersStatus & { readonly attachedListenerSets: number } {
  const { metadata } = gateway;
  const listeners = listenersBy(world, `Gateway ${nameOf(metadata)}`).map((entry) =>
    listenerStatus(world, entry, metadata),
  );
  const accepted = gatewayAccepted(gateway, listeners);
  const sets = setsAt(world, gateway).filter((set) => isTrue(setConditions(world, set), "Accepted"));
  return {
    conditions: [accepted, gatewayProgrammed(gateway, accepted), gatewayResolved(world, gateway)],
    listeners,
    attachedListenerSets: sets.length,
  };
}

function nameOf({ namespace, name }: Metadata): string {
  return `${namespace}/${name}`;
}

function isTrue(conditions: readonly Condition[], type: string): boolean {
  return conditions.some((one) => one.type === type && one.status === "True");
}

/** A Gateway is accepted with the listeners that are, if there is one at all. */
function gatewayAccepted(
  { metadata, spec }: Resource<GatewaySpec>,
  listeners: readonly ListenerStatus[],
): Condition {
  const parameters = spec.infrastructure?.parametersRef;
  if (parameters !== undefined) {
    const message = `spec.infrastructure.parametersRef: the mesh has no ${parameters.kind}`;
    return condition(metadata, "Accepted", { reason: "InvalidParameters", message });
  }
  const foreign = spec.addresses.find(({ type }) => type !== "IPAddress" && type !== "Hostname");
  if (foreign !== undefined) {
    const message = `spec.addresses: the mesh has no addresses of type ${foreign.type}`;
    return condition(metadata, "Accepted", { reason: "UnsupportedAddress", message });
  }
  return summary(metadata, "Accepted", listeners.map(isAccepted));
}

function isAccepted({ conditions }: ListenerStatus): boolean {
  return isTrue(conditions, "Accepted");
}

/** True when something is valid; the reason tells when not everything is. */
function summary(metadata: Metadata, type: string, verdicts: readonly boolean[]): Condition {
  const message = "status.listeners tells why";
  if (!verdicts.includes(true)) return condition(metadata, type, { reason: "ListenersNotValid", message });
  return verdicts.includes(false)
    ? { ...condition(metadata, type, "ListenersNotValid"), message }
    : condition(metadata, type, type);
}

function gatewayProgrammed({ metadata, spec }: Resource<GatewaySpec>, accepted: Condition): Condition {
  if (accepted.status === "False") {
    const message = `it is not accepted: ${accepted.message}`;
    return condition(metadata, "Programmed", { reason: "Invalid", message });
  }
  const asked = spec.addresses.find(({ value }) => value !== "");
  if (asked === undefined) return condition(metadata, "Programmed", "Programmed");
  const message = `spec.addresses: ${asked.value} cannot be had, the platform gives addresses; listeners work at those`;
  return condition(metadata, "Programmed", { reason: "AddressNotUsable", message });
}

function gatewayResolved(world: World, { metadata, spec }: Resource<GatewaySpec>): Condition {
  const ref = spec.tls?.backend?.clientCertificateRef;
  const from = { kind: "Gateway", namespace: metadata.namespace };
  const fault = ref === undefined ? null : faultOfCertificate(world, from, ref);
  if (fault === null) return condition(metadata, "ResolvedRefs", "ResolvedRefs");
  const reason = fault.kind === "forbidden" ? "RefNotPermitted" : "InvalidClientCertificateRef";
  return condition(metadata, "ResolvedRefs", { reason, message: fault.message });
}

/** The status of a ListenerSet. */
export function listenerSetStatus(world: World, set: Resource<ListenerSetSpec>): ListenersStatus {
  return { conditions: setConditions(world, set), listeners: listenersOfSet(world, set) };
}

function listenersOfSet(world: World, { metadata }: Resource<ListenerSetSpec>): ListenerStatus[] {
  return listenersBy(world, `ListenerSet ${nameOf(metadata)}`).map((entry) =>
    listenerStatus(world, entry, metadata),
  );
}

function setConditions(world: World, set: Resource<ListenerSetSpec>): Condition[] {
  const { metadata } = set;
  const gateway = findGateway(world, parentOf(set));
  const obstacle = gateway === undefined ? parentMissing(set) : notAllowed(world, gateway, set);
  if (obstacle !== null) {
    return [condition(metadata, "Accepted", obstacle), condition(metadata, "Programmed", obstacle)];
  }
  // Unlike at a Gateway a listener without its certificate is of no use to those who set it up here.
  const verdicts = listenersOfSet(world, set).map(({ conditions }) => isTrue(conditions, "Programmed"));
  const accepted = summary(metadata, "Accepted", verdicts);
  const { reason, message } = accepted;
  const programmed =
    accepted.status === "True"
      ? condition(metadata, "Programmed", "Programmed")
      : condition(metadata, "Programmed", { reason, message });
  return [accepted, programmed];
}

function parentMissing(set: Resource<ListenerSetSpec>): Obstacle {
  return { reason: "ParentNotAccepted", message: `Gateway ${parentOf(set)} does not exist` };
}

function notAllowed(
  world: World,
  gateway: Resource<GatewaySpec>,
  set: Resource<ListenerSetSpec>,
): Obstacle | null {
  if (admitsSet(world, gateway, set)) return null;
  const message = `Gateway ${parentOf(set)} does not allow ListenerSets of this namespace (spec.allowedListeners)`;
  return { reason: "NotAllowed", message };
}

function listenerStatus(world: World, entry: ListenerEntry, metadata: Metadata): ListenerStatus {
  const { listener, fault } = entry;
  const kinds = fault === null ? kindsAt(listener) : [];
  const refs = faultOfRefs(world, entry);
  const untrusted = noAuthority(world, entry);
  const accepted: Obstacle | null = fault ?? untrusted;
  const isConflict = fault?.reason === "HostnameConflict" || fault?.reason === "ProtocolConflict";
  return {
    name: listener.name,
    supportedKinds: kinds.map((kind) => ({ group: GATEWAY_GROUP, kind })),
    attachedRoutes: countRoutes(world, entry),
    conditions: [
      condition(metadata, "Accepted", accepted ?? "Accepted"),
      condition(metadata, "Programmed", notProgrammed(world, entry, accepted ?? refs) ?? "Programmed"),
      condition(metadata, "ResolvedRefs", refs ?? invalidKinds(entry) ?? "ResolvedRefs"),
      isConflict
        ? { ...condition(metadata, "Conflicted", fault.reason), message: fault.message }
        : condition(metadata, "Conflicted", { reason: "NoConflicts", message: "" }),
    ],
  };
}

function notProgrammed(world: World, entry: ListenerEntry, cause: Obstacle | null): Obstacle | null {
  if (cause !== null) {
    const isConflict = cause.reason === "HostnameConflict" || cause.reason === "ProtocolConflict";
    return { reason: isConflict ? cause.reason : "Invalid", message: cause.message };
  }
  if (kindsAt(entry.listener).length === 0) {
    return { reason: "Invalid", message: "it could take no kind of routes (allowedRoutes.kinds)" };
  }
  if (validationAt(world, entry) === null) return null;
  const message = "client certificates at a listener are not checked yet: it takes no requests";
  return { reason: "Pending", message };
}

function invalidKinds({ listener }: ListenerEntry): Obstacle | null {
  const carried: readonly string[] = carriedBy(listener);
  const strange = listener.allowedRoutes.kinds.find(
    ({ group, kind }) => group !== GATEWAY_GROUP || !carried.includes(kind),
  );
  if (strange === undefined) return null;
  const message = `allowedRoutes.kinds: ${listener.protocol} carries ${carried.join(", ")}, not ${strange.kind}`;
  return { reason: "InvalidRouteKinds", message };
}

function referrerOf({ owner, namespace }: ListenerEntry): Referrer {
  return { kind: owner.startsWith("Gateway ") ? "Gateway" : "ListenerSet", namespace };
}

/** What a listener needs of certificates and does not have. */
function faultOfRefs(world: World, entry: ListenerEntry): Obstacle | null {
  const refs = entry.listener.tls?.certificateRefs ?? [];
  const [fault] = refs.flatMap((ref) => faultOfCertificate(world, referrerOf(entry), ref) ?? []);
  if (fault !== undefined) {
    const reason = fault.kind === "forbidden" ? "RefNotPermitted" : "InvalidCertificateRef";
    return { reason, message: fault.message };
  }
  const [first] = authorityFaults(world, entry);
  if (first === undefined) return null;
  return { reason: REASONS[first.kind], message: first.message };
}

const REASONS: Readonly<Record<RefFault["kind"], string>> = {
  forbidden: "RefNotPermitted",
  "unknown-kind": "InvalidCACertificateKind",
  invalid: "InvalidCACertificateRef",
};

/** Authorities of clients are the Gateway's to name, whoever's the listener is. */
function authorityFaults(world: World, entry: ListenerEntry): RefFault[] {
  const [namespace = ""] = entry.gateway.split("/");
  const refs = validationAt(world, entry)?.caCertificateRefs ?? [];
  return refs.flatMap((ref) => faultOfAuthority(world, { kind: "Gateway", namespace }, ref) ?? []);
}

function noAuthority(world: World, entry: ListenerEntry): Obstacle | null {
  const validation = validationAt(world, entry);
  if (validation === null || authorityFaults(world, entry).length < validation.caCertificateRefs.length) {
    return null;
  }
  const message = "no reference in caCertificateRefs leads to a certificate: no client could be trusted";
  return { reason: "NoValidCACertificate", message };
}

function countRoutes(world: World, { id, owner }: ListenerEntry): number {
  const outdone = outdoneAt(world, id);
  return [...(world.routesByParent.get(owner) ?? [])].filter(
    (route) =>
      !outdone.has(route) &&
      world.attachments.byRoute.get(route)?.some(({ listener }) => listener === id) === true,
  ).length;
}

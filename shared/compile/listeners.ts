/**
 * The listeners of a Gateway, its own and those that ListenerSets add, and
 * which of them cannot be: Gateway API's rules for conflicts.
 *
 * @module
 */
import type { Resource } from "../wire/resource.ts";
import type { GatewaySpec } from "../wire/resources/gateway.ts";
import type { ListenerSpec } from "../wire/resources/listener.ts";
import type { ListenerSetSpec } from "../wire/resources/listener-set.ts";
import { selects } from "./labels.ts";
import { compareText } from "./multimap.ts";
import type { RouteKind } from "./route-kinds.ts";
import { findGateway, findListenerSet, type World } from "./state.ts";

/** Why a listener is none; the reasons are Gateway API's. */
export interface ListenerFault {
  readonly reason: "UnsupportedProtocol" | "UnsupportedValue" | "ProtocolConflict" | "HostnameConflict";
  readonly message: string;
}

/** A listener and whose it is. */
export interface ListenerEntry {
  /** `namespace/gateway/listener`; of a ListenerSet `namespace/gateway/set's namespace/set/listener`. */
  readonly id: string;
  /** `namespace/name`. */
  readonly gateway: string;
  /** `Gateway namespace/name` or `ListenerSet namespace/name`. */
  readonly owner: string;
  /** The owner's: `allowedRoutes` that say Same mean it. */
  readonly namespace: string;
  readonly listener: ListenerSpec;
  /** `null`: it takes routes. */
  readonly fault: ListenerFault | null;
}

/** `tls.frontend` of a Gateway. */
export type ClientValidation = NonNullable<FrontendTls["default"]["validation"]>;

type FrontendTls = NonNullable<NonNullable<GatewaySpec["tls"]>["frontend"]>;

type Unjudged = Omit<ListenerEntry, "fault">;

/** The kinds of routes that a protocol carries. */
const CARRIES: Readonly<Record<string, readonly RouteKind[]>> = {
  HTTP: ["HTTPRoute", "GRPCRoute"],
  HTTPS: ["HTTPRoute", "GRPCRoute"],
  TLS: ["TLSRoute"],
  TCP: ["TCPRoute"],
};

/** The kinds of routes that a listener could take, whatever it allows. */
export function carriedBy({ protocol }: ListenerSpec): readonly RouteKind[] {
  return Object.hasOwn(CARRIES, protocol) ? (CARRIES[protocol] ?? []) : [];
}

/** The kinds of routes that a listener takes. */
export function kindsAt(listener: ListenerSpec): readonly RouteKind[] {
  const { kinds } = listener.allowedRoutes;
  const carried = carriedBy(listener);
  if (kinds.length === 0) return carried;
  return carried.filter((known) =>
    kinds.some(({ group, kind }) => group === "gateway.networking.k8s.io" && kind === known),
  );
}

/** All listeners of a Gateway (`namespace/name`): its own first, then those of its sets, the older set first. */
export function listenersOf(world: World, gateway: string): readonly ListenerEntry[] {
  const known = world.listeners.get(gateway);
  if (known !== undefined) return known;
  const resource = findGateway(world, gateway);
  if (resource === undefined) return [];
  const sets = setsAt(world, resource).filter((set) => admitsSet(world, resource, set));
  const entries = judge([...ownOf(gateway, resource), ...sets.flatMap((set) => addedBy(gateway, set))]);
  world.listeners.set(gateway, entries);
  return entries;
}

/**
 * Whether requests are carried for a listener here. One that demands client
 * certificates is not: the platform checks them, before the mesh could demand any.
 */
export function isServed(world: World, entry: ListenerEntry): boolean {
  const isForHttp = carriedBy(entry.listener).includes("HTTPRoute");
  return entry.fault === null && isForHttp && validationAt(world, entry) === null;
}

/** What clients must prove at a listener; `null`: nothing. */
export function validationAt(world: World, { gateway, listener }: ListenerEntry): ClientValidation | null {
  if (listener.protocol !== "HTTPS") return null;
  const frontend = findGateway(world, gateway)?.spec.tls?.frontend;
  const own = frontend?.perPort.find(({ port }) => port === listener.port);
  return (own?.tls ?? frontend?.default)?.validation ?? null;
}

/** To be called when a Gateway, one of its ListenerSets or their namespaces' labels have changed. */
export function forgetListeners(world: World, gateway: string): void {
  world.listeners.delete(gateway);
}

/** The listeners of a Gateway or a ListenerSet, by `owner`. */
export function listenersBy(world: World, owner: string): readonly ListenerEntry[] {
  const gateway = gatewayOf(world, owner);
  return gateway === null ? [] : listenersOf(world, gateway).filter((entry) => entry.owner === owner);
}

/** The Gateway (`namespace/name`) that an owner's listeners are of. */
export function gatewayOf(world: World, owner: string): string | null {
  const [kind = "", name = ""] = owner.split(" ");
  if (kind === "Gateway") return name;
  const set = kind === "ListenerSet" ? findListenerSet(world, name) : undefined;
  return set === undefined ? null : parentOf(set);
}

/** `namespace/name` of the Gateway that a set is for. */
export function parentOf({ metadata, spec }: Resource<ListenerSetSpec>): string {
  return `${spec.parentRef.namespace ?? metadata.namespace}/${spec.parentRef.name}`;
}

/** The sets that name a Gateway, the older first, whether or not it admits them. */
export function setsAt(world: World, { metadata }: Resource<GatewaySpec>): Resource<ListenerSetSpec>[] {
  const keys = world.setsByGateway.get(`${metadata.namespace}/${metadata.name}`) ?? [];
  return [...keys]
    .flatMap((key) => findListenerSet(world, key) ?? [])
    .sort((a, b) => compareText(ageOf(a), ageOf(b)));
}

function ageOf({ metadata }: Resource): string {
  return `${metadata.creationTimestamp} ${metadata.namespace}/${metadata.name}`;
}

/** Whether a Gateway lets a set add listeners. */
export function admitsSet(
  world: World,
  { metadata, spec }: Resource<GatewaySpec>,
  set: Resource<ListenerSetSpec>,
): boolean {
  return admitsNamespace(world, spec.allowedListeners.namespaces, {
    own: metadata.namespace,
    other: set.metadata.namespace,
  });
}

/** Whether a rule of a resource of one namespace admits another namespace. */
export function admitsNamespace(
  world: World,
  { from, selector }: GatewaySpec["allowedListeners"]["namespaces"],
  { own, other }: { readonly own: string; readonly other: string },
): boolean {
  switch (from) {
    case "All":
      return true;
    case "None":
      return false;
    case "Same":
      return own === other;
    case "Selector": {
      // Kubernetes labels every namespace with its name.
      const labels = { ...world.namespaces.get(other), "kubernetes.io/metadata.name": other };
      return selector !== undefined && selects(selector, labels);
    }
  }
}

function ownOf(gateway: string, { metadata, spec }: Resource<GatewaySpec>): Unjudged[] {
  return spec.listeners.map((listener) => ({
    id: `${gateway}/${listener.name}`,
    gateway,
    owner: `Gateway ${gateway}`,
    namespace: metadata.namespace,
    listener,
  }));
}

function addedBy(gateway: string, { metadata, spec }: Resource<ListenerSetSpec>): Unjudged[] {
  const set = `${metadata.namespace}/${metadata.name}`;
  return spec.listeners.map((listener) => ({
    id: `${gateway}/${set}/${listener.name}`,
    gateway,
    owner: `ListenerSet ${set}`,
    namespace: metadata.namespace,
    listener,
  }));
}

/** What has been taken at one port. */
interface Port {
  readonly family: string;
  readonly mode: string | null;
  readonly hostnames: Set<string>;
}

/**
 * Between two resources the first in order keeps its place; within one, where
 * no order means anything, listeners that could be, but not together, are all refused.
 */
function judge(entries: readonly Unjudged[]): ListenerEntry[] {
  const taken = new Map<string, Port>();
  return [...Map.groupBy(entries, ({ owner }) => owner).values()].flatMap((own) => {
    const mixed = mixedPorts(own.map(({ listener }) => listener).filter((one) => isFree(one, taken)));
    const judged = own.map((entry) => ({ ...entry, fault: faultOf(entry.listener, taken, mixed) }));
    for (const { listener, fault } of judged) if (fault === null) take(taken, listener);
    return judged;
  });
}

function faultOf(
  listener: ListenerSpec,
  taken: ReadonlyMap<string, Port>,
  mixed: ReadonlySet<string>,
): ListenerFault | null {
  const { protocol, port, hostname = "*" } = listener;
  if (carriedBy(listener).length === 0) {
    return {
      reason: "UnsupportedProtocol",
      message: `${protocol} is not carried: use HTTP, HTTPS, TLS or TCP`,
    };
  }
  const place = taken.get(String(port));
  if (mixed.has(String(port)) || (place !== undefined && !fits(place, listener))) {
    return { reason: "ProtocolConflict", message: `port ${port} has another protocol or TLS mode already` };
  }
  if (place?.hostnames.has(hostname) === true) {
    return familyOf(listener) === "tcp"
      ? { reason: "ProtocolConflict", message: `port ${port} has a TCP listener already` }
      : { reason: "HostnameConflict", message: `port ${port} has a listener for ${hostname} already` };
  }
  return protocol === "TLS" && modeOf(listener) === "Terminate"
    ? {
        reason: "UnsupportedValue",
        message: "TLS streams are passed through only: set tls.mode to Passthrough",
      }
    : null;
}

function isFree(listener: ListenerSpec, taken: ReadonlyMap<string, Port>): boolean {
  const place = taken.get(String(listener.port));
  return carriedBy(listener).length > 0 && (place === undefined || fits(place, listener));
}

/** The ports where listeners of one resource cannot be together. */
function mixedPorts(own: readonly ListenerSpec[]): Set<string> {
  const seen = new Map<string, Port>();
  const mixed = new Set<string>();
  for (const listener of own) {
    const port = String(listener.port);
    const place = seen.get(port);
    if (place !== undefined && !fits(place, listener)) mixed.add(port);
    take(seen, listener);
  }
  return mixed;
}

/** HTTPS and TLS share a port: the name that a client asks for tells them apart. */
function familyOf({ protocol }: ListenerSpec): string {
  return protocol === "HTTPS" || protocol === "TLS" ? "tls" : protocol.toLowerCase();
}

function modeOf({ protocol, tls }: ListenerSpec): string | null {
  return protocol === "TLS" ? (tls?.mode ?? "Terminate") : null;
}

function fits(place: Port, listener: ListenerSpec): boolean {
  const mode = modeOf(listener);
  return place.family === familyOf(listener) && (place.mode === null || mode === null || place.mode === mode);
}

function take(places: Map<string, Port>, listener: ListenerSpec): void {
  const port = String(listener.port);
  const place = places.get(port);
  places.set(port, {
    family: place?.family ?? familyOf(listener),
    mode: place?.mode ?? modeOf(listener),
    hostnames: (place?.hostnames ?? new Set<string>()).add(listener.hostname ?? "*"),
  });
}

/**
 * Which routes a Gateway's listeners take, and for which host names.
 *
 * @module
 */
import * as host from "../engine/host.ts";
import type { ListenerSpec } from "../wire/resources/listener.ts";
import type { ParentRef } from "../wire/resources/route-fields.ts";
import { admitsNamespace, kindsAt, listenersBy, type ListenerEntry } from "./listeners.ts";
import { addTo, removeFrom } from "./multimap.ts";
import { outdoneAt } from "./route-conflicts.ts";
import { isForRequests, kindOfKey, routeKey } from "./route-kinds.ts";
import { findRoute, findService, type Attachment, type HttpRoute, type World } from "./state.ts";

/** Routes that name a parent (`namespace/name`), whether or not it takes them. */
export function routesAt(world: World, kind: ParentRef["kind"], parent: string): string[] {
  return [...(world.routesByParent.get(`${kind} ${parent}`) ?? [])];
}

/** A parentRef's parent as routes are indexed by it: `Gateway namespace/name`. */
export function parentKey({ metadata }: HttpRoute, { kind, namespace, name }: ParentRef): string {
  return `${kind} ${namespace ?? metadata.namespace}/${name}`;
}

/**
 * The port of a Service that a parentRef means, by number or by name; `null`
 * means all of them, `undefined` that there is no such port, or no such Service.
 */
export function parentPort(world: World, route: HttpRoute, ref: ParentRef): number | null | undefined {
  const { namespace, name, sectionName, port } = ref;
  const service = findService(world, `${namespace ?? route.metadata.namespace}/${name}`);
  if (service === undefined) return undefined;
  if (sectionName === undefined && port === undefined) return null;
  const { ports } = service.spec;
  // A Service without ports is reached at whatever port its endpoints have.
  if (ports.length === 0 && sectionName === undefined) return port;
  return ports.find(
    (one) =>
      (sectionName === undefined || one.name === sectionName) && (port === undefined || one.port === port),
  )?.port;
}

/** Computes a route's attachments anew. */
export function attach(world: World, key: string): void {
  detach(world, key);
  const route = findRoute(world, key);
  if (route === undefined) return;
  const attachments = attachmentsOf(world, route);
  world.attachments.byRoute.set(key, attachments);
  // Streams have no virtual hosts.
  if (!isForRequests(route)) return;
  for (const { listener, domains } of attachments) {
    world.attachments.outdone.delete(listener);
    addTo(world.attachments.byKind, `${listener} ${route.kind}`, key);
    const byDomain = world.attachments.byListener.get(listener) ?? new Map<string, Set<string>>();
    world.attachments.byListener.set(listener, byDomain);
    for (const domain of domains) addTo(byDomain, domain, key);
  }
}

/** Forgets a route's attachments. */
export function detach(world: World, key: string): void {
  for (const { listener, domains } of world.attachments.byRoute.get(key) ?? []) {
    world.attachments.outdone.delete(listener);
    removeFrom(world.attachments.byKind, `${listener} ${kindOfKey(key)}`, key);
    const byDomain = world.attachments.byListener.get(listener);
    if (byDomain === undefined) continue;
    for (const domain of domains) removeFrom(byDomain, domain, key);
    if (byDomain.size === 0) world.attachments.byListener.delete(listener);
  }
  world.attachments.byRoute.delete(key);
}

/** One attachment for each listener that takes the route, however many parentRefs lead there. */
function attachmentsOf(world: World, route: HttpRoute): Attachment[] {
  const byListener = new Map<string, Attachment>();
  for (const ref of route.spec.parentRefs) {
    for (const entry of listenersBy(world, parentKey(route, ref))) {
      if (refuses(world, entry, ref, route) !== null) continue;
      byListener.set(entry.id, { listener: entry.id, domains: domainsOf(entry.listener, route) });
    }
  }
  return [...byListener.values()];
}

/** Why a listener does not take a route. */
export interface AttachRefusal {
  /** Gateway API's, in the order in which they are found. */
  readonly reason: "NoMatchingParent" | "NotAllowedByListeners" | "NoMatchingListenerHostname";
  /** Words that complete "the listener …". */
  readonly message: string;
}

/** Why a route is not in force at a listener; `null`: it is. */
export function obstacleAt(
  world: World,
  entry: ListenerEntry,
  ref: ParentRef,
  route: HttpRoute,
): AttachRefusal | null {
  const refusal = refuses(world, entry, ref, route);
  if (refusal !== null || !outdoneAt(world, entry.id).has(routeKey(route))) return refusal;
  const other = route.kind === "GRPCRoute" ? "HTTPRoute" : "GRPCRoute";
  return { reason: "NotAllowedByListeners", message: `has an older ${other} for the same hosts` };
}

/** Why a listener does not take a route by a parentRef that names its owner; `null`: it does. */
function refuses(
  world: World,
  { listener, namespace, fault }: ListenerEntry,
  ref: ParentRef,
  route: HttpRoute,
): AttachRefusal | null {
  if (ref.sectionName !== undefined && ref.sectionName !== listener.name) {
    return { reason: "NoMatchingParent", message: "has another name" };
  }
  if (ref.port !== undefined && ref.port !== listener.port) {
    return { reason: "NoMatchingParent", message: "has another port" };
  }
  if (fault !== null) return { reason: "NoMatchingParent", message: `is not accepted: ${fault.message}` };
  const { namespaces } = listener.allowedRoutes;
  if (!admitsNamespace(world, namespaces, { own: namespace, other: route.metadata.namespace })) {
    const message = "does not allow routes from this namespace (allowedRoutes.namespaces)";
    return { reason: "NotAllowedByListeners", message };
  }
  if (!kindsAt(listener).some((kind) => kind === route.kind)) {
    const message = `does not allow ${route.kind}s (allowedRoutes.kinds, protocol)`;
    return { reason: "NotAllowedByListeners", message };
  }
  return domainsOf(listener, route).length === 0
    ? { reason: "NoMatchingListenerHostname", message: "serves none of the route's hostnames" }
    : null;
}

function domainsOf({ hostname = "*" }: ListenerSpec, { spec }: HttpRoute): string[] {
  if (spec.hostnames.length === 0) return [hostname];
  return spec.hostnames.flatMap((name) => host.intersectHost(hostname, name) ?? []);
}

/** The host names of a listener that have a virtual host, in no order. */
export function domainsAt(world: World, listener: string): string[] {
  return [...(world.attachments.byListener.get(listener)?.keys() ?? [])];
}

/** The host names of a listener that cover one of them, itself first, then ever wider. Costs a look-up per label. */
export function domainsOver(world: World, listener: string, domain: string): string[] {
  const byDomain = world.attachments.byListener.get(listener);
  const wider = [...domain.matchAll(/\./g)].map(({ index }) => `*${domain.slice(index)}`);
  return [...new Set([domain, ...wider, "*"])].filter((pattern) => byDomain?.has(pattern) === true);
}

/** Whether every host of `narrow` is one of `wide`. */
export function covers(wide: string, narrow: string): boolean {
  return host.intersectHost(wide, narrow) === narrow;
}

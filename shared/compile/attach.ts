/**
 * Which routes a Gateway's listeners take, and for which host names.
 *
 * @module
 */
import * as host from "../engine/host.ts";
import type { GatewayListener } from "../wire/resources/gateway.ts";
import type { ParentRef } from "../wire/resources/http-route.ts";
import { selects } from "./labels.ts";
import { addTo, removeFrom } from "./multimap.ts";
import { findGateway, findRoute, type Attachment, type HttpRoute, type World } from "./state.ts";

/** Routes (`namespace/name`) that name a parent, whether or not it takes them. */
export function routesAt(world: World, kind: ParentRef["kind"], parent: string): string[] {
  return [...(world.routesByParent.get(`${kind} ${parent}`) ?? [])];
}

/** Computes a route's attachments anew. */
export function attach(world: World, key: string): void {
  detach(world, key);
  const route = findRoute(world, key);
  if (route === undefined) return;
  const attachments = attachmentsOf(world, route);
  world.attachments.byRoute.set(key, attachments);
  for (const { listener, domains } of attachments) {
    const byDomain = world.attachments.byListener.get(listener) ?? new Map<string, Set<string>>();
    world.attachments.byListener.set(listener, byDomain);
    for (const domain of domains) addTo(byDomain, domain, key);
  }
}

/** Forgets a route's attachments. */
export function detach(world: World, key: string): void {
  for (const { listener, domains } of world.attachments.byRoute.get(key) ?? []) {
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
    if (ref.kind !== "Gateway") continue;
    const gateway = `${ref.namespace ?? route.metadata.namespace}/${ref.name}`;
    for (const listener of findGateway(world, gateway)?.spec.listeners ?? []) {
      if (refuses(world, { gateway, listener }, ref, route) !== null) continue;
      const id = `${gateway}/${listener.name}`;
      byListener.set(id, { listener: id, domains: domainsOf(listener, route) });
    }
  }
  return [...byListener.values()];
}

/** A listener and the gateway (`namespace/name`) that has it. */
export interface ListenerOf {
  readonly gateway: string;
  readonly listener: GatewayListener;
}

/** Why a listener does not take a route by a parentRef, in words that complete "the listener …"; `null`: it does. */
export function refuses(
  world: World,
  { gateway, listener }: ListenerOf,
  ref: ParentRef,
  route: HttpRoute,
): string | null {
  if (ref.sectionName !== undefined && ref.sectionName !== listener.name) return "has another name";
  if (ref.port !== undefined && ref.port !== listener.port) return "has another port";
  if (!admitsNamespace(world, { gateway, listener }, route.metadata.namespace)) {
    return "does not allow routes from this namespace (allowedRoutes.namespaces)";
  }
  const { kinds } = listener.allowedRoutes;
  if (kinds.length > 0 && !kinds.some(({ kind }) => kind === "HTTPRoute")) {
    return "does not allow HTTPRoutes (allowedRoutes.kinds)";
  }
  return domainsOf(listener, route).length === 0 ? "serves none of the route's hostnames" : null;
}

function admitsNamespace(world: World, { gateway, listener }: ListenerOf, namespace: string): boolean {
  const { from, selector } = listener.allowedRoutes.namespaces;
  switch (from) {
    case "All":
      return true;
    case "None":
      return false;
    case "Same":
      return gateway.startsWith(`${namespace}/`);
    case "Selector": {
      // Kubernetes labels every namespace with its name.
      const labels = { ...world.namespaces.get(namespace), "kubernetes.io/metadata.name": namespace };
      return selector !== undefined && selects(selector, labels);
    }
  }
}

function domainsOf({ hostname = "*" }: GatewayListener, { spec }: HttpRoute): string[] {
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

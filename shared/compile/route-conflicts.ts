/**
 * HTTPRoutes and GRPCRoutes for the same hosts at one listener: Gateway API
 * lets only one of the two kinds have a host there, that of the older route.
 *
 * @module
 */
import * as host from "../engine/host.ts";
import { compareText } from "./multimap.ts";
import { kindOfKey } from "./route-kinds.ts";
import { findRoute, type World } from "./state.ts";

const NONE: ReadonlySet<string> = new Set();

/** Whether a listener has routes of both kinds: only then can one be in another's way. */
export function isMixed({ attachments }: World, listener: string): boolean {
  return attachments.byKind.has(`${listener} HTTPRoute`) && attachments.byKind.has(`${listener} GRPCRoute`);
}

/** The routes (by `routeKey`) that a listener would take if an older one of the other kind were not there. */
export function outdoneAt(world: World, listener: string): ReadonlySet<string> {
  if (!isMixed(world, listener)) return NONE;
  const known = world.attachments.outdone.get(listener);
  if (known !== undefined) return known;
  const outdone = judge(world, listener);
  world.attachments.outdone.set(listener, outdone);
  return outdone;
}

function judge(world: World, listener: string): ReadonlySet<string> {
  const { byKind } = world.attachments;
  const keys = ["HTTPRoute", "GRPCRoute"].flatMap((kind) => [...(byKind.get(`${listener} ${kind}`) ?? [])]);
  const outdone = new Set<string>();
  const taken = new Map<string, Set<string>>([
    ["HTTPRoute", new Set()],
    ["GRPCRoute", new Set()],
  ]);
  for (const key of keys.sort((a, b) => compareText(ageOf(world, a), ageOf(world, b)))) {
    const kind = kindOfKey(key);
    const others = taken.get(kind === "GRPCRoute" ? "HTTPRoute" : "GRPCRoute") ?? new Set();
    const domains = domainsOf(world, key, listener);
    if (domains.some((domain) => meets(others, domain))) outdone.add(key);
    else for (const domain of domains) taken.get(kind)?.add(domain);
  }
  return outdone;
}

/** The older first, then by namespace and name. */
function ageOf(world: World, key: string): string {
  const { creationTimestamp = "", namespace = "", name = "" } = findRoute(world, key)?.metadata ?? {};
  return `${creationTimestamp} ${namespace}/${name} ${key}`;
}

function domainsOf({ attachments }: World, key: string, listener: string): readonly string[] {
  return attachments.byRoute.get(key)?.find((one) => one.listener === listener)?.domains ?? [];
}

/** Whether a host name is one of others, or there is one that both cover. */
function meets(others: ReadonlySet<string>, domain: string): boolean {
  if (!domain.startsWith("*")) return host.findHost(others, domain) !== null;
  return [...others].some((other) => host.intersectHost(other, domain) !== null);
}

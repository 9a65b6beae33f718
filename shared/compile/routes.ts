/**
 * Route sets: the rules of several HTTPRoutes, sorted into the order in which they win.
 *
 * @module
 */
import type { Backend, PathMatch, RouteAction, RouteEntry, RouteSet } from "../engine/route.ts";
import { canonicalPath } from "../wire/path-match.ts";
import type { BackendRef, HttpMatch, HttpRule } from "../wire/resources/http-route.ts";
import {
  compileCallers,
  compileFaults,
  compileValue,
  documentOf,
  isCatchAll,
  isListed,
} from "./extensions.ts";
import { faultsAt } from "./faults.ts";
import { compileFilters } from "./filters.ts";
import { compareText } from "./multimap.ts";
import { retryOf, stickyOf, timeoutsOf } from "./traffic.ts";
import { findService, type HttpRoute, type World } from "./state.ts";

/** A route's place in a set. */
export interface Candidate {
  readonly route: HttpRoute;
  /** How specific the host name is by which the route came here: 0 is best and beats all that a match says. */
  readonly rank: number;
}

/** From outside, a route may name backends of its own namespace only; inside the mesh, of any (GAMMA). */
export type Origin = "gateway" | "mesh";

/** Compiles routes into one set. An action belongs to one rule; a rule's matches share it. */
export function compileRoutes(world: World, candidates: readonly Candidate[], origin: Origin): RouteSet {
  const sorted = candidates.toSorted((a, b) => a.rank - b.rank || compareRoutes(a.route, b.route));
  const ordered = origin === "mesh" ? withOneListed(sorted) : sorted;
  const actions: RouteAction[] = [];
  const ranked = ordered.flatMap(({ route, rank }) =>
    route.spec.rules.flatMap((rule, index) => {
      actions.push(compileAction(world, { route, rule, index }, origin));
      const action = actions.length - 1;
      return rule.matches.map((match) => {
        const entry = compileEntry(match, action, world.trustDomain);
        return { rank, tier: tierOf(route, entry, origin), entry };
      });
    }),
  );
  // The sort is stable: what is equal here stays in the order of routes, rules and matches.
  const entries = ranked
    .sort(
      (a, b) => a.rank - b.rank || a.tier - b.tier || (a.tier === 1 ? compareEntries(a.entry, b.entry) : 0),
    )
    .map(({ entry }) => entry);
  return { entries, actions };
}

/** Inside the mesh one document with listed rules decides for a service: the oldest (Istio). */
function withOneListed(candidates: readonly Candidate[]): readonly Candidate[] {
  const oldest = candidates.find(({ route }) => isListed(route));
  if (oldest === undefined) return candidates;
  return candidates.filter(({ route }) => !isListed(route) || documentOf(route) === documentOf(oldest.route));
}

/** Listed rules come first; at a Gateway, where several documents are merged, those for everything last (Istio). */
function tierOf(route: HttpRoute, entry: RouteEntry, origin: Origin): 0 | 1 | 2 {
  if (!isListed(route)) return 1;
  return origin === "gateway" && isCatchAll(entry) ? 2 : 0;
}

/** The older route first, then by name (Gateway API). */
function compareRoutes(a: HttpRoute, b: HttpRoute): number {
  return compareText(ageOf(a), ageOf(b));
}

function ageOf({ metadata }: HttpRoute): string {
  return `${metadata.creationTimestamp} ${metadata.namespace}/${metadata.name}`;
}

/** Gateway API: exact path, longest prefix, method, most headers, most query parameters. */
function compareEntries(a: RouteEntry, b: RouteEntry): number {
  const [first, second] = [precedenceOf(a), precedenceOf(b)];
  for (const [index, value] of first.entries()) {
    const difference = (second[index] ?? 0) - value;
    if (difference !== 0) return difference;
  }
  return 0;
}

function precedenceOf({ path, method, headers, query }: RouteEntry): readonly number[] {
  return [
    path.kind === "exact" ? 1 : 0,
    path.value.length,
    method === undefined ? 0 : 1,
    headers.length,
    query.length,
  ];
}

function compileEntry(
  { path, method, headers, queryParams, from }: HttpMatch,
  action: number,
  trustDomain: string,
): RouteEntry {
  return {
    path: compilePath(path),
    ...(method === undefined ? {} : { method }),
    headers: headers.map((header) => compileValue({ ...header, name: header.name.toLowerCase() })),
    query: queryParams.map(compileValue),
    ...(from === undefined ? {} : { callers: compileCallers(from, trustDomain) }),
    action,
  };
}

function compilePath({ type, value, ignoreCase }: HttpMatch["path"]): PathMatch {
  const canonical = canonicalPath(value) ?? value;
  if (type === "RegularExpression")
    return { kind: "regex", value: ignoreCase === true ? `(?i)${value}` : value };
  const folded = ignoreCase === true ? { ignoresCase: true as const } : {};
  if (type === "Exact") return { kind: "exact", value: canonical, ...folded };
  if (type === "TextPrefix") return { kind: "text-prefix", value: canonical, ...folded };
  // Gateway API: a trailing slash of a prefix is ignored.
  return { kind: "prefix", value: canonical === "/" ? canonical : canonical.replace(/\/$/, ""), ...folded };
}

interface RuleOf {
  readonly route: HttpRoute;
  readonly rule: HttpRule;
  readonly index: number;
}

function compileAction(world: World, { route, rule, index }: RuleOf, origin: Origin): RouteAction {
  const timeouts = timeoutsOf(rule);
  const retry = retryOf(rule);
  const name = `${route.metadata.namespace}/${route.metadata.name}`;
  const sticky = stickyOf(world, name);
  const faults = [...compileFaults(rule.faults ?? [], name), ...faultsAt(world, name)];
  return {
    route: name,
    rule: rule.name ?? String(index),
    filters: compileFilters(rule.filters),
    ...(rule.respond === undefined ? {} : { respond: rule.respond }),
    backends: rule.backendRefs.map((ref) => compileBackend(world, route, ref, origin)),
    ...(sticky === undefined ? {} : { sticky }),
    ...(timeouts === undefined ? {} : { timeouts }),
    ...(retry === undefined ? {} : { retry }),
    ...(faults.length === 0 ? {} : { faults }),
  };
}

function compileBackend(world: World, route: HttpRoute, ref: BackendRef, origin: Origin): Backend {
  const invalid = judgeBackend(world, route, ref, origin);
  return {
    service: backendService(route, ref),
    port: ref.port ?? null,
    ...(ref.subset === undefined ? {} : { subset: ref.subset }),
    weight: ref.weight,
    filters: compileFilters(ref.filters),
    ...(invalid === null ? {} : { invalid }),
  };
}

/** `namespace/name` of what a backend reference names. */
export function backendService(route: HttpRoute, { namespace, name }: BackendRef): string {
  return `${namespace ?? route.metadata.namespace}/${name}`;
}

/**
 * Why a backend cannot be used, or `null`. Whether it may be named is told
 * before whether it exists: the one who may not learns nothing.
 */
export function judgeBackend(
  world: World,
  route: HttpRoute,
  ref: BackendRef,
  origin: Origin,
): NonNullable<Backend["invalid"]> | null {
  if (ref.group !== "" || ref.kind !== "Service") return "backend.kind";
  const isForeign = (ref.namespace ?? route.metadata.namespace) !== route.metadata.namespace;
  if (isForeign && origin === "gateway") return "backend.forbidden";
  const ports = findService(world, backendService(route, ref))?.spec.ports;
  if (ports === undefined) return "backend.missing";
  // A Service without ports is reached at whatever port its endpoints have; only listed rules may leave theirs out.
  return ports.length === 0 || ref.port === undefined || ports.some(({ port }) => port === ref.port)
    ? null
    : "backend.missing";
}

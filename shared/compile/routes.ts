/**
 * Route sets: the rules of several HTTPRoutes and GRPCRoutes, sorted into the order in which they win.
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
import { backendService, judgeBackend, type Origin, type Target } from "./backends.ts";
import { compileFilters, type MirrorTarget } from "./filters.ts";
import { compareText } from "./multimap.ts";
import { compileSession, priorityOf, retryOf, stickyOf, timeoutsOf } from "./traffic.ts";
import type { HttpRoute, World } from "./state.ts";

/** A route's place in a set. */
export interface Candidate {
  readonly route: HttpRoute;
  /** How specific the host name is by which the route came here: 0 is best and beats all that a match says. */
  readonly rank: number;
}

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
        const precedence = precedenceOf(route, match, entry);
        return { rank, tier: tierOf(route, entry, origin), precedence, entry };
      });
    }),
  );
  // The sort is stable: what is equal here stays in the order of routes, rules and matches.
  const entries = ranked
    .sort(
      (a, b) =>
        a.rank - b.rank ||
        a.tier - b.tier ||
        (a.tier === 1 ? comparePrecedence(a.precedence, b.precedence) : 0),
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

/** The greater number at the first place where two differ comes first. */
function comparePrecedence(first: readonly number[], second: readonly number[]): number {
  for (const [index, value] of first.entries()) {
    const difference = (second[index] ?? 0) - value;
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * Gateway API: exact path, longest prefix, method, most headers, most query
 * parameters. It leaves regular expressions open; here they come before
 * prefixes, since a rule for everything would otherwise hide all of them.
 */
function precedenceOf({ kind }: HttpRoute, match: HttpMatch, entry: RouteEntry): readonly number[] {
  const { path, method, headers, query } = entry;
  if (kind === "GRPCRoute") return [path.kind === "exact" ? 3 : 1, ...grpcLengths(match), headers.length];
  return [RANKS[path.kind], path.value.length, method === undefined ? 0 : 1, headers.length, query.length];
}

const RANKS: Readonly<Record<PathMatch["kind"], number>> = {
  exact: 3,
  regex: 2,
  prefix: 1,
  "text-prefix": 1,
};

/** Characters of the service, then of the method; what stands for any counts for nothing. */
function grpcLengths({ path }: HttpMatch): [service: number, method: number] {
  const [, service = "", method = ""] = path.value.split("/");
  return [lengthOf(service), lengthOf(method)];
}

function lengthOf(part: string): number {
  return part === "[^" || part === "]+" ? 0 : part.length;
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
  // Policies target HTTPRoutes; a route of another kind may have the same name.
  const isTarget = route.kind === "HTTPRoute";
  const sticky = isTarget ? stickyOf(world, name) : undefined;
  const priority = isTarget ? priorityOf(world, name) : undefined;
  const targetOf = mirrorsOf(world, route, origin);
  const faults = [...compileFaults(rule.faults ?? [], name), ...(isTarget ? faultsAt(world, name) : [])];
  return {
    route: name,
    rule: rule.name ?? String(index),
    filters: compileFilters(rule.filters, targetOf),
    ...(rule.respond === undefined ? {} : { respond: rule.respond }),
    backends: rule.backendRefs.map((ref) => compileBackend(world, route, ref, origin)),
    ...(sticky === undefined ? {} : { sticky }),
    ...(rule.sessionPersistence === undefined ? {} : { session: compileSession(rule.sessionPersistence) }),
    ...(timeouts === undefined ? {} : { timeouts }),
    ...(retry === undefined ? {} : { retry }),
    ...(priority === undefined ? {} : { priority }),
    ...(faults.length === 0 ? {} : { faults }),
  };
}

function compileBackend(world: World, route: HttpRoute, ref: BackendRef, origin: Origin): Backend {
  return {
    ...compileTarget(world, route, ref, origin),
    weight: ref.weight,
    filters: compileFilters(ref.filters, mirrorsOf(world, route, origin)),
  };
}

function mirrorsOf(world: World, route: HttpRoute, origin: Origin): MirrorTarget {
  return ({ backendRef }) => compileTarget(world, route, backendRef, origin);
}

function compileTarget(
  world: World,
  route: HttpRoute,
  ref: Target & { readonly subset?: string | undefined },
  origin: Origin,
): Omit<Backend, "weight" | "filters"> {
  const invalid = judgeBackend(world, route, ref, origin);
  return {
    service: backendService(route, ref),
    port: ref.port ?? null,
    ...(ref.subset === undefined ? {} : { subset: ref.subset }),
    ...(invalid === null ? {} : { invalid }),
  };
}

/**
 * Routing: which rule of a route set decides a request.
 *
 * A `RouteSet` is plain data that travels in a snapshot. `index` turns it
 * into a `RouteTable` once, when the snapshot is swapped in; `match` then
 * costs about the same for ten routes and for ten thousand.
 *
 * Precedence is data: `entries` stand in the order in which they win, so the
 * table finds the first entry that matches and knows nothing about why it is
 * first. The compiler sorts them (Gateway API: exact path, longest prefix,
 * method, most headers, most query parameters, oldest route, name, rule).
 *
 * @module
 */
import type { SessionPersistence } from "./affinity.ts";
import { isFromAny, type Caller, type SourceMatch } from "./authorize.ts";
import * as fault from "./fault.ts";
import type { Fault, LinkedFault } from "./fault.ts";
import type { Filters } from "./filter.ts";
import type { HashKey } from "./hash.ts";
import * as pathIndex from "./path-index.ts";
import type { PathIndex, PrefixNode } from "./path-index.ts";
import type { Priority } from "./priority.ts";
import { parseQuery } from "./query.ts";
import type { HeaderReader, RequestView } from "./request.ts";
import type { RetryPolicy } from "./retry.ts";
import type { Timeouts } from "./timeout.ts";
import {
  compile,
  type CompilePattern,
  type Pattern,
  type ValueMatch,
  type ValueTest,
} from "./value-match.ts";

export type { CompilePattern, Pattern, ValueMatch } from "./value-match.ts";

export interface PathMatch {
  /**
   * `prefix` compares whole segments: `/a` covers `/a` and `/a/b`, never
   * `/ab`. `text-prefix` compares characters (Istio, Consul). `regex` must
   * match the whole path (Envoy, Gateway API).
   */
  readonly kind: "exact" | "prefix" | "text-prefix" | "regex";
  /** A canonical path, except for `regex`. For `prefix`, without a trailing slash except `/` itself. */
  readonly value: string;
  /** Upper and lower case are the same. A `regex` says so itself: `(?i)`. */
  readonly ignoresCase?: true;
}

/** One way in which a rule matches; all of its parts must hold. */
export interface RouteEntry {
  readonly path: PathMatch;
  readonly method?: string;
  readonly headers: readonly ValueMatch[];
  readonly query: readonly ValueMatch[];
  /** Any of these must be the caller (Istio's `sourceNamespace`). Absent: everybody. */
  readonly callers?: readonly SourceMatch[];
  /** Index into `RouteSet.actions`. */
  readonly action: number;
}

/** One backend of a rule and its share of the rule's requests. */
export interface Backend {
  /** `namespace/name` of a service. */
  readonly service: string;
  readonly port: number | null;
  /** Only these of the service's endpoints: the name of a subset in its unit. */
  readonly subset?: string;
  /** Share relative to the other backends; 0 gets nothing. */
  readonly weight: number;
  readonly filters: Filters;
  /** Set when the backend cannot be used: its share of requests is answered with 500 and this reason. */
  readonly invalid?: "backend.missing" | "backend.kind" | "backend.forbidden";
}

/** What a rule does with the requests that it wins. */
export interface RouteAction {
  /** `namespace/name` of the route: the name in metrics, logs and explanations. */
  readonly route: string;
  /** The rule's own name, else its index in the route. */
  readonly rule: string;
  readonly filters: Filters;
  /** Answers instead of forwarding (Istio's `directResponse`). */
  readonly respond?: { readonly status: number; readonly body: string };
  /** Empty, or with weights that sum to 0: answered with 500 (Gateway API). */
  readonly backends: readonly Backend[];
  /** Requests with the same key go to the same backend. Absent, or a request without the key: chance decides. */
  readonly sticky?: HashKey;
  readonly session?: SessionPersistence;
  readonly timeouts?: Timeouts;
  readonly retry?: RetryPolicy;
  readonly faults?: readonly Fault[];
  /** Absent: `default`. */
  readonly priority?: Priority;
}

export interface RouteSet {
  /** In order of precedence: the first that matches wins. */
  readonly entries: readonly RouteEntry[];
  readonly actions: readonly RouteAction[];
}

/** A rule that won a request. */
export interface Match {
  readonly entry: RouteEntry;
  readonly action: RouteAction;
  /** The action's faults, for `fault.inject`. */
  readonly faults: readonly LinkedFault[];
}

/** A route set, indexed by path. Made by `index`, read by `match`; not data that travels. */
export interface RouteTable {
  /** One for each entry, in the same order. */
  readonly rules: readonly LinkedRule[];
  /** By paths as they are written. */
  readonly written: PathIndex;
  /** By paths in lower case; `null` when no entry ignores case. */
  readonly lowered: PathIndex | null;
  /** Entries with a regular expression for the path: ascending indexes into `rules`. */
  readonly patterns: readonly number[];
}

/** An entry with its matches compiled. */
export interface LinkedRule {
  readonly match: Match;
  /** Of a path that is a regular expression. */
  readonly path: Pattern | null;
  readonly headers: readonly LinkedValue[];
  readonly query: readonly LinkedValue[];
}

interface LinkedValue {
  readonly name: string;
  readonly test: ValueTest;
}

/**
 * Indexes a route set by path, so that looking up a path takes the same for
 * any number of paths; entries that share one, and regular expressions, are
 * told apart one by one, in their order. Throws when an entry points to an
 * action that does not exist or has a regular expression that is none: such a
 * snapshot is broken.
 */
export function index(set: RouteSet, compilePattern: CompilePattern): RouteTable {
  const faults = set.actions.map((action) => fault.link(action.faults ?? [], compilePattern));
  const rules: LinkedRule[] = [];
  const written = pathIndex.createIndex();
  const lowered = pathIndex.createIndex();
  const patterns: number[] = [];
  for (const [position, entry] of set.entries.entries()) {
    const action = set.actions[entry.action];
    if (action === undefined) throw new Error(`route entry ${position} has no action ${entry.action}`);
    rules.push(linkRule({ entry, action, faults: faults[entry.action] ?? [] }, compilePattern));
    const { kind, value, ignoresCase } = entry.path;
    if (kind === "regex") patterns.push(position);
    else if (ignoresCase === true) pathIndex.add(lowered, kind, value.toLowerCase(), position);
    else pathIndex.add(written, kind, value, position);
  }
  return { rules, written, lowered: pathIndex.isEmpty(lowered) ? null : lowered, patterns };
}

function linkRule(match: Match, compilePattern: CompilePattern): LinkedRule {
  const { path, headers, query } = match.entry;
  const link = (value: ValueMatch): LinkedValue => ({
    name: value.name,
    test: compile(value, compilePattern),
  });
  return {
    match,
    path: path.kind === "regex" ? compilePattern(path.value) : null,
    headers: headers.map(link),
    query: query.map(link),
  };
}

/**
 * Finds the rule that decides a request; `null` when no rule matches.
 *
 * Paths, methods, header values and query parameters are compared
 * case-sensitively unless a match says otherwise. A header that was sent more
 * than once is compared as one value joined by `, `, which is how a platform
 * `Headers` gives it (Gateway API leaves it open). Of a query parameter the
 * first value counts. `headers` are compared in place of the request's own,
 * where a host does not believe all that the request says.
 */
export function match(
  table: RouteTable,
  request: RequestView,
  caller: Caller | null,
  headers: HeaderReader = request.headers,
): Match | null {
  const search: Search = { probe: { request, headers, caller, parameters: null }, best: table.rules.length };
  lookUp(table, table.written, request.path, search);
  if (table.lowered !== null) lookUp(table, table.lowered, request.path.toLowerCase(), search);
  tryEach(table, table.patterns, search);
  return table.rules[search.best]?.match ?? null;
}

/** A request, and its query parameters once a rule has asked for them. */
interface Probe {
  readonly request: RequestView;
  readonly headers: HeaderReader;
  readonly caller: Caller | null;
  parameters: ReadonlyMap<string, string> | null;
}

interface Search {
  readonly probe: Probe;
  /** The first rule that is known to match; the number of rules while there is none. */
  best: number;
}

function lookUp(table: RouteTable, paths: PathIndex, path: string, search: Search): void {
  tryEach(table, pathIndex.exactly(paths, path), search);
  // From the longest prefix to the shortest: most often the winner comes first and cuts the other lists short.
  for (
    let node: PrefixNode | null = pathIndex.longestPrefix(paths, path);
    node !== null;
    node = node.parent
  ) {
    tryEach(table, node.candidates, search);
  }
  for (const length of paths.textLengths) {
    if (length <= path.length) tryEach(table, pathIndex.startingWith(paths, path.slice(0, length)), search);
  }
}

/** Tries candidates until one matches or those left would come after the best. */
function tryEach(table: RouteTable, candidates: readonly number[], search: Search): void {
  for (const candidate of candidates) {
    if (candidate >= search.best) return;
    const rule = table.rules[candidate];
    if (rule === undefined || obstacleOf(rule, search.probe) !== null) continue;
    if (rule.path !== null && !rule.path(search.probe.request.path)) continue;
    search.best = candidate;
    return;
  }
}

/** A part of an entry. */
export type Part = "path" | "method" | "headers" | "query" | "callers";

/** Tells which part of a rule keeps it from matching a request; `null` when it matches. For explanations: it looks nothing up. */
export function obstacle(rule: LinkedRule, request: RequestView, caller: Caller | null): Part | null {
  if (!covers(rule, request.path)) return "path";
  return obstacleOf(rule, { request, headers: request.headers, caller, parameters: null });
}

function covers({ match: { entry }, path: pattern }: LinkedRule, path: string): boolean {
  const { kind, value, ignoresCase } = entry.path;
  if (pattern !== null) return pattern(path);
  const [wanted, given] = ignoresCase === true ? [value.toLowerCase(), path.toLowerCase()] : [value, path];
  if (kind === "exact" || given === wanted) return given === wanted;
  return given.startsWith(kind === "text-prefix" || wanted === "/" ? wanted : `${wanted}/`);
}

/** The part that does not hold, the path aside. */
function obstacleOf({ match: { entry }, headers, query }: LinkedRule, probe: Probe): Part | null {
  const { request, headers: fields, caller } = probe;
  if (entry.method !== undefined && entry.method !== request.method) return "method";
  for (const header of headers) {
    if (!header.test(fields.get(header.name))) return "headers";
  }
  if (query.length > 0 && !holdsQuery(query, probe)) return "query";
  return entry.callers === undefined || isFromAny(entry.callers, caller) ? null : "callers";
}

function holdsQuery(query: readonly LinkedValue[], probe: Probe): boolean {
  const parameters = (probe.parameters ??= parseQuery(probe.request.query));
  return query.every(({ name, test }) => test(parameters.get(name) ?? null));
}

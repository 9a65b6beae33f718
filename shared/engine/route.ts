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
import type { Filters } from "./filter.ts";
import { parseQuery } from "./query.ts";
import type { Redirect } from "./redirect.ts";
import type { RequestView } from "./request.ts";
import type { RetryPolicy } from "./retry.ts";
import type { Timeouts } from "./timeout.ts";

export interface PathMatch {
  /** `prefix` compares whole segments: `/a` covers `/a` and `/a/b`, never `/ab`. */
  readonly kind: "exact" | "prefix";
  /** A canonical path. For `prefix`, without a trailing slash except `/` itself. */
  readonly value: string;
}

/** One header or query parameter that must have exactly this value. Header names are in lower case. */
export interface ValueMatch {
  readonly name: string;
  readonly kind: "exact";
  readonly value: string;
}

/** One way in which a rule matches; all of its parts must hold. */
export interface RouteEntry {
  readonly path: PathMatch;
  readonly method?: string;
  readonly headers: readonly ValueMatch[];
  readonly query: readonly ValueMatch[];
  /** Index into `RouteSet.actions`. */
  readonly action: number;
}

/** One backend of a rule and its share of the rule's requests. */
export interface Backend {
  /** `namespace/name` of a service. */
  readonly service: string;
  readonly port: number | null;
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
  /** Answers instead of forwarding. */
  readonly redirect?: Redirect;
  /** Empty, or with weights that sum to 0: answered with 500 (Gateway API). */
  readonly backends: readonly Backend[];
  readonly timeouts?: Timeouts;
  readonly retry?: RetryPolicy;
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
}

/** A route set, indexed by path. Made by `index`, read by `match`; not data that travels. */
export interface RouteTable {
  /** One for each entry, in the same order. */
  readonly matches: readonly Match[];
  /** Entries with an exact path: ascending indexes into `matches`. */
  readonly exact: ReadonlyMap<string, readonly number[]>;
  readonly root: PrefixNode;
}

/** The entries with one path prefix, in a trie by path segments. */
export interface PrefixNode {
  readonly parent: PrefixNode | null;
  readonly children: Map<string, PrefixNode>;
  /** Ascending indexes into `RouteTable.matches`. */
  readonly candidates: number[];
}

/**
 * Indexes a route set by path. Entries that share a path are told apart one
 * by one, in their order. Throws when an entry points to an action that does
 * not exist: such a snapshot is broken.
 */
export function index(set: RouteSet): RouteTable {
  const matches: Match[] = [];
  const exact = new Map<string, number[]>();
  const root = createNode(null);
  for (const [position, entry] of set.entries.entries()) {
    const action = set.actions[entry.action];
    if (action === undefined) throw new Error(`route entry ${position} has no action ${entry.action}`);
    matches.push({ entry, action });
    const candidates =
      entry.path.kind === "exact" ? exactAt(exact, entry.path.value) : prefixAt(root, entry.path.value);
    candidates.push(position);
  }
  return { matches, exact, root };
}

function createNode(parent: PrefixNode | null): PrefixNode {
  return { parent, children: new Map(), candidates: [] };
}

function exactAt(exact: Map<string, number[]>, path: string): number[] {
  const known = exact.get(path);
  if (known !== undefined) return known;
  const created: number[] = [];
  exact.set(path, created);
  return created;
}

function prefixAt(root: PrefixNode, prefix: string): number[] {
  let node = root;
  for (const segment of prefix.split("/")) {
    if (segment === "") continue;
    const child = node.children.get(segment) ?? createNode(node);
    node.children.set(segment, child);
    node = child;
  }
  return node.candidates;
}

/**
 * Finds the rule that decides a request; `null` when no rule matches.
 *
 * Paths, methods, header values and query parameters are compared
 * case-sensitively. A header that was sent more than once is compared as one
 * value joined by `, `, which is how a platform `Headers` gives it (Gateway
 * API leaves it open). Of a query parameter the first value counts.
 */
export function match(table: RouteTable, request: RequestView): Match | null {
  const probe: Probe = { request, parameters: null };
  let best = table.matches.length;
  const exact = table.exact.get(request.path);
  if (exact !== undefined) best = firstMatch(table, exact, probe, best);
  // From the longest prefix to the shortest: most often the winner comes first and cuts the other lists short.
  for (let node = longestPrefix(table.root, request.path); node !== null; node = node.parent) {
    best = firstMatch(table, node.candidates, probe, best);
  }
  return table.matches[best] ?? null;
}

/** A request, and its query parameters once a rule has asked for them. */
interface Probe {
  readonly request: RequestView;
  parameters: ReadonlyMap<string, string> | null;
}

function longestPrefix(root: PrefixNode, path: string): PrefixNode | null {
  let node = root;
  for (let from = 1; from < path.length;) {
    const slash = path.indexOf("/", from);
    const end = slash === -1 ? path.length : slash;
    const child = node.children.get(path.slice(from, end));
    if (child === undefined) return node;
    node = child;
    from = end + 1;
  }
  return node;
}

/** The first candidate below `best` that matches, else `best`. */
function firstMatch(table: RouteTable, candidates: readonly number[], probe: Probe, best: number): number {
  for (const candidate of candidates) {
    if (candidate >= best) return best;
    const found = table.matches[candidate];
    if (found !== undefined && holds(found.entry, probe)) return candidate;
  }
  return best;
}

/** Whether everything but the path holds. */
function holds(entry: RouteEntry, probe: Probe): boolean {
  const { request } = probe;
  if (entry.method !== undefined && entry.method !== request.method) return false;
  for (const header of entry.headers) {
    if (request.headers.get(header.name) !== header.value) return false;
  }
  return entry.query.length === 0 || holdsQuery(entry.query, probe);
}

function holdsQuery(query: readonly ValueMatch[], probe: Probe): boolean {
  const parameters = (probe.parameters ??= parseQuery(probe.request.query));
  return query.every((parameter) => parameters.get(parameter.name) === parameter.value);
}

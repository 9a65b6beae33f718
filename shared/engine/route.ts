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
import type { Redirect } from "./redirect.ts";
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

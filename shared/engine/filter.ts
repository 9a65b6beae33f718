/**
 * Filters: what a route changes on a request and its response.
 *
 * @module
 */
import type { PathRewrite } from "./redirect.ts";

/** Header names are in lower case. Applied in the order remove, set, add (Gateway API leaves it open; Envoy's). */
export interface HeaderEdit {
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly add: readonly (readonly [name: string, value: string])[];
  readonly remove: readonly string[];
}

export interface Filters {
  readonly request?: HeaderEdit;
  readonly response?: HeaderEdit;
  readonly rewrite?: Rewrite;
}

export interface Rewrite {
  /** Replaces the authority that the backend sees. */
  readonly hostname?: string;
  readonly path?: PathRewrite;
}

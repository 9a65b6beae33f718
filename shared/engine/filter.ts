/**
 * Filters: what a route changes on a request and its response.
 *
 * @module
 */
import type { Cors } from "./cors.ts";
import type { Mirror } from "./mirror.ts";
import type { PathRewrite, Redirect } from "./redirect.ts";
import type { HeaderReader } from "./request.ts";

/** Header names are in lower case. Applied in the order remove, set, add (Gateway API leaves it open; Envoy's). */
export interface HeaderEdit {
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly add: readonly (readonly [name: string, value: string])[];
  readonly remove: readonly string[];
}

/** What a rule, or one of its backends, does to requests and responses. */
export interface Filters {
  readonly request?: HeaderEdit;
  readonly response?: HeaderEdit;
  readonly rewrite?: Rewrite;
  /** Answers instead of a backend. */
  readonly redirect?: Redirect;
  readonly mirrors?: readonly Mirror[];
  readonly cors?: Cors;
}

export interface Rewrite {
  /** Replaces the authority that the backend sees. */
  readonly hostname?: string;
  readonly path?: PathRewrite;
}

/** Header fields that can be changed. A platform `Headers` is one. */
export interface MutableHeaders extends HeaderReader {
  /** Replaces every field of the name. */
  set(name: string, value: string): void;
  /** Adds a field beside those of the same name. */
  append(name: string, value: string): void;
  delete(name: string): void;
}

/** Changes headers in place: removes, then sets, then adds. */
export function edit(headers: MutableHeaders, change: HeaderEdit): void {
  for (const name of change.remove) headers.delete(name);
  for (const [name, value] of change.set) headers.set(name, value);
  for (const [name, value] of change.add) headers.append(name, value);
}

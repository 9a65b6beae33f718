/**
 * What was chosen for a call so far.
 *
 * @module
 */
import type { Field } from "../engine/cookie.ts";
import type { Endpoint } from "../engine/endpoint.ts";

export interface Choices {
  /** In the order of the tries. */
  readonly tried: Endpoint[];
  /** Fields for the response: cookies that were made on the way. */
  readonly fields: Field[];
  /** For consistent hashing; `undefined` until it is asked for. */
  hash: number | null | undefined;
  /** The endpoint of the client's session; `null` without one that can be used. */
  session: Endpoint | null;
}

/** Nothing chosen yet. */
export function startChoices(): Choices {
  return { tried: [], fields: [], hash: undefined, session: null };
}

/** Whether a call has tried all of some endpoints, and there are any. */
export function hasTried({ tried }: Choices, endpoints: readonly Endpoint[]): boolean {
  return tried.length > 0 && endpoints.length > 0 && endpoints.every((endpoint) => tried.includes(endpoint));
}

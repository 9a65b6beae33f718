/**
 * Endpoints: the places that can answer for a service.
 *
 * @module
 */

/** Where an endpoint is reached. */
export type Address =
  /** A service binding of the caller's Worker, or of the edge. */
  | { readonly kind: "binding"; readonly name: string }
  /** A Worker in a dispatch namespace. */
  | { readonly kind: "dispatch"; readonly name: string }
  /** An HTTP origin: scheme, host and port, without a trailing slash. */
  | { readonly kind: "origin"; readonly url: string };

export type Health = "healthy" | "unhealthy" | "draining";

export interface Endpoint {
  /** Unique in its service; stable while the endpoint lives. */
  readonly id: string;
  readonly address: Address;
  /** The `version` label, else empty: a dimension of metrics. */
  readonly version: string;
  /** At least 1. */
  readonly weight: number;
  readonly health: Health;
  /** Taken out by the mesh's shared circuit. */
  readonly isEjected: boolean;
  /** The Worker behind it runs the inbound half itself, so that callers may use their own binding to it. */
  readonly isJoined: boolean;
  /** Who runs there, `<namespace>/<service account>`: the audience of tokens sent to it. */
  readonly workload: string;
  /** Index into `ServiceUnit.inbound`: the policies that protect it. */
  readonly inbound: number;
}

/**
 * Endpoints: the places that can answer for a service.
 *
 * @module
 */
import { isOpen, type Circuit } from "./circuit.ts";
import type { Millis } from "./time.ts";

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
  /** A whole number, at least 1. */
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

/** The circuit that a host keeps for an endpoint; `undefined` is closed. */
export type CircuitOf = (id: string) => Circuit | undefined;

/**
 * Decides which endpoints may get a call: healthy, not ejected, and with a
 * circuit that is closed or due for a probe. Order is kept; when all may, the
 * answer is the given array itself.
 *
 * Below `panicRatio` of those that are not draining, health and ejection are
 * disregarded: what the mesh was told is then more likely wrong than true, and
 * the few that are left would be overrun (Envoy's panic threshold; 0 turns it
 * off). A circuit stays in force even then: it is what this host has seen
 * itself, and it lets probes out. An empty answer with endpoints that are not
 * draining therefore means open circuits, or no panic.
 */
export function usable(
  endpoints: readonly Endpoint[],
  circuitOf: CircuitOf,
  panicRatio: number,
  now: Millis,
): readonly Endpoint[] {
  let draining = 0;
  let candidates = 0;
  for (const endpoint of endpoints) {
    if (endpoint.health === "draining") draining++;
    else if (isCandidate(endpoint, circuitOf, false, now)) candidates++;
  }
  if (candidates === endpoints.length) return endpoints;

  const isPanic = candidates < panicRatio * (endpoints.length - draining);
  return endpoints.filter((endpoint) => isCandidate(endpoint, circuitOf, isPanic, now));
}

/** Leaves out the endpoints that a call has already tried; when it has tried all, all are candidates again. */
export function withoutTried(
  candidates: readonly Endpoint[],
  triedIds: readonly string[],
): readonly Endpoint[] {
  if (triedIds.length === 0) return candidates;
  const untried = candidates.filter((endpoint) => !triedIds.includes(endpoint.id));
  return untried.length === 0 ? candidates : untried;
}

function isCandidate(endpoint: Endpoint, circuitOf: CircuitOf, isPanic: boolean, now: Millis): boolean {
  if (endpoint.health === "draining") return false;
  if (!isPanic && (endpoint.health !== "healthy" || endpoint.isEjected)) return false;
  const circuit = circuitOf(endpoint.id);
  return circuit === undefined || !isOpen(circuit, now);
}

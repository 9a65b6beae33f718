/**
 * Endpoints: the places that can answer for a service.
 *
 * @module
 */
import { CLOSED, isDue, isOpen, type Circuit } from "./circuit.ts";
import type { Locality } from "./locality.ts";
import type { Millis } from "./time.ts";

/** Where an endpoint is reached. */
export type Address =
  /** A service binding of the caller's Worker, or of the edge. */
  | { readonly kind: "binding"; readonly name: string }
  /** A Worker in a dispatch namespace. */
  | { readonly kind: "dispatch"; readonly name: string }
  /** An HTTP origin: scheme, host and port, without a trailing slash. */
  | {
      readonly kind: "origin";
      readonly url: string;
      /** The binding of the edge that connects with a client certificate of its own. Absent: it connects without. */
      readonly certificate?: string;
    };

export type Health = "healthy" | "unhealthy" | "draining";

export interface Endpoint {
  /** Unique in its service; stable while the endpoint lives. */
  readonly id: string;
  readonly address: Address;
  /** The `version` label, else empty: a dimension of metrics. */
  readonly version: string;
  /** A whole number, at least 1; a fraction above 0 during a slow start. */
  readonly weight: number;
  readonly health: Health;
  /** Taken out by the mesh's shared circuit. */
  readonly isEjected: boolean;
  /** Taken out until then by pooled outlier detection, which hosts end by themselves. Absent: not at all. */
  readonly ejectedUntil?: Millis;
  /** Absent: unknown. */
  readonly locality?: Locality;
  /** When it came to the service. Only there while a slow start of the service needs it. */
  readonly since?: Millis;
  /** The Worker behind it runs the inbound half itself, so that callers may use their own binding to it. */
  readonly isJoined: boolean;
  /** Its policies ask for what only the edge can see of a caller: no caller uses its own binding. Absent: it may. */
  readonly isEdgeOnly?: true;
  /** Somebody else's: it is not told who calls. Absent: it is the mesh's own. */
  readonly isExternal?: true;
  /** Who runs there, `<namespace>/<service account>`: the audience of tokens sent to it. */
  readonly workload: string;
  /** Index into `ServiceUnit.inbound`: the policies that protect it. */
  readonly inbound: number;
}

/** The circuit that a host keeps for an endpoint; `undefined` is closed. */
export type CircuitOf = (id: string) => Circuit | undefined;

/** What a host's own calls say of endpoints, and how much that counts. */
export interface Findings {
  readonly circuitOf: CircuitOf;
  /** `CircuitPolicy.rejects` of the service. */
  readonly rejects: boolean;
  /** Whether the host's outlier detection keeps an endpoint out. Absent: none. */
  readonly isOut?: (id: string) => boolean;
}

/**
 * Decides which endpoints may get a call: healthy, not ejected, and with a
 * circuit that is closed or due for a probe. Order is kept; when all may, the
 * answer is the given array itself.
 *
 * What the shared circuit took out comes back by a probe, which a host makes
 * whose own circuit is due. What outlier detection took out, the mesh's or the
 * host's own, comes back when its time is over.
 *
 * Below `panicRatio` of those that are not draining, health and ejections are
 * disregarded: what is known is then more likely wrong than true, and the few
 * that are left would be overrun (Envoy's panic threshold; 0 turns it off).
 *
 * Circuits that reject stay in force even then, so that an empty answer with
 * endpoints that are not draining means open circuits, or no panic. Circuits
 * that do not reject only steer calls away: panic disregards them as well, and
 * so does a service of which they would leave nothing.
 */
export function usable(
  endpoints: readonly Endpoint[],
  findings: Findings,
  panicRatio: number,
  now: Millis,
): readonly Endpoint[] {
  const { circuitOf } = findings;
  const isShut = (id: string): boolean => {
    const circuit = circuitOf(id);
    return circuit !== undefined && isOpen(circuit, now);
  };
  const isUp = (endpoint: Endpoint): boolean => isWell(endpoint, findings, now);
  if (endpoints.every((endpoint) => isUp(endpoint) && !isShut(endpoint.id))) return endpoints;

  const staying = endpoints.filter(({ health }) => health !== "draining");
  const well = staying.filter(isUp);
  const candidates = well.filter(({ id }) => !isShut(id));
  const isPanic = candidates.length < panicRatio * staying.length;
  const told = isPanic ? staying : well;
  if (!findings.rejects) return isPanic || candidates.length === 0 ? told : candidates;
  return isPanic ? told.filter(({ id }) => !isShut(id)) : candidates;
}

/** Leaves out the endpoints, the very objects, that a call has already tried; when it has tried all, all are candidates again. */
export function withoutTried(
  candidates: readonly Endpoint[],
  tried: readonly Endpoint[],
): readonly Endpoint[] {
  if (tried.length === 0) return candidates;
  const untried = candidates.filter((endpoint) => !tried.includes(endpoint));
  return untried.length === 0 ? candidates : untried;
}

/** Whether an endpoint may get calls by what is known of it, apart from open circuits. */
export function isWell(
  { id, health, isEjected, ejectedUntil }: Endpoint,
  { circuitOf, isOut }: Findings,
  now: Millis,
): boolean {
  if (health !== "healthy" || isOut?.(id) === true) return false;
  if (ejectedUntil !== undefined && now < ejectedUntil) return false;
  return !isEjected || isDue(circuitOf(id) ?? CLOSED, now);
}

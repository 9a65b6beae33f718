/**
 * A circuit breaker as data. The caller supplies `now` and keeps the returned
 * circuit where it likes: an isolate's Map or a Durable Object's record.
 *
 * @module
 */
import type { Millis } from "./time.ts";

export interface CircuitPolicy {
  /** Consecutive failures that open a closed circuit. At least 1. */
  readonly failuresToOpen: number;
  /** Opens at a share of failures, too. Absent: consecutive failures alone. */
  readonly failureRatio?: FailureRatio;
  /** How long an open circuit turns calls away before it lets a probe out. Doubled for each probe that fails. */
  readonly openForMs: Millis;
  /** The longest that doubling leads to. Absent: `openForMs`, so that nothing is doubled. */
  readonly maxOpenForMs?: Millis;
  /** Up to this share is added at random, so that hosts do not probe in step. 0..1; absent: 0. */
  readonly jitter?: number;
  /**
   * Whether calls are turned away when every circuit is open. False only
   * steers them to endpoints whose circuit is closed while enough are left:
   * an endpoint that fails is then never shut out for want of a better one.
   */
  readonly rejects: boolean;
}

/** Linkerd's success rate, the other way around. */
export interface FailureRatio {
  /** 0..1. */
  readonly ratio: number;
  /** Over how long calls are counted. */
  readonly windowMs: Millis;
  /** Calls within it below which the ratio says nothing. At least 1. */
  readonly minCalls: number;
}

/**
 * `closed` serves and counts failures in a row. `open` turns calls away until
 * `probeAt`. `probing` has let one call out and turns the others away until
 * `probeAt`, when the probe counts as lost.
 */
export type Circuit =
  | { readonly kind: "closed"; readonly failures: number }
  | { readonly kind: "open"; readonly since: Millis; readonly probeAt: Millis }
  | { readonly kind: "probing"; readonly since: Millis; readonly probeAt: Millis };

/** Whether a call may go out, and the circuit from then on. */
export type Admission =
  | { readonly kind: "allow"; readonly circuit: Circuit }
  | { readonly kind: "reject"; readonly circuit: Circuit; readonly retryAfterMs: Millis };

/** The circuit of an endpoint about which nothing bad is known. */
export const CLOSED: Circuit = { kind: "closed", failures: 0 };

/**
 * Decides whether the circuit turns calls away at `now`.
 *
 * A clock that reads earlier than the circuit's own `since` has stepped back;
 * the circuit then lets a probe out at once rather than stay open for the
 * size of the step.
 */
export function isOpen(circuit: Circuit, now: Millis): boolean {
  return circuit.kind !== "closed" && circuit.since <= now && now < circuit.probeAt;
}

/**
 * Decides whether one call may go out, and what the circuit is from then on.
 *
 * The first call at or after `probeAt` goes out as the probe. A probe that
 * never reports back is replaced after another `openForMs`: the isolate that
 * sent it may be gone, and a lost answer must not hold the circuit for ever.
 * A circuit that does not reject lets out, besides probes, whatever is sent its
 * way; that changes nothing about it.
 */
export function admit(circuit: Circuit, policy: CircuitPolicy, now: Millis): Admission {
  if (circuit.kind === "closed") return { kind: "allow", circuit };
  if (isOpen(circuit, now)) {
    if (!policy.rejects) return { kind: "allow", circuit };
    return { kind: "reject", circuit, retryAfterMs: circuit.probeAt - now };
  }
  return { kind: "allow", circuit: { kind: "probing", since: now, probeAt: now + policy.openForMs } };
}

/**
 * Folds the outcome of one admitted call into the circuit. Only failures in a
 * row count, however far apart they are (Envoy's `consecutive_5xx`).
 */
export function record(
  circuit: Circuit,
  policy: CircuitPolicy,
  outcome: "success" | "failure",
  now: Millis,
): Circuit {
  // A straggler sent before the circuit opened says nothing about now.
  if (circuit.kind === "open") return circuit;
  if (outcome === "success") return CLOSED;

  const failures = circuit.kind === "closed" ? circuit.failures + 1 : policy.failuresToOpen;
  return failures < policy.failuresToOpen
    ? { kind: "closed", failures }
    : { kind: "open", since: now, probeAt: now + policy.openForMs };
}

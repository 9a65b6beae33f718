/**
 * A circuit breaker as data. The caller supplies `now` and keeps the returned
 * circuit where it likes: an isolate's Map or a Durable Object's record.
 *
 * @module
 */
import type { Millis, Random } from "./time.ts";

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
 * `probeAt`, when the probe counts as lost. `openMs` is how long it is open
 * this time, jitter aside: what the next failed probe doubles.
 */
export type Circuit =
  | { readonly kind: "closed"; readonly failures: number; readonly window?: Window }
  | Waiting<"open">
  | Waiting<"probing">;

interface Waiting<Kind> {
  readonly kind: Kind;
  readonly since: Millis;
  readonly probeAt: Millis;
  readonly openMs: Millis;
}

/**
 * Calls of late, for a failure ratio: in the present half of the policy's
 * window and in the half before. Together they cover the newest half of the
 * window at least and all of it at most, so that a ratio is found out half a
 * window late at worst; calls older than the window never count.
 */
export interface Window {
  /** When the present half began. */
  readonly since: Millis;
  readonly calls: number;
  readonly failures: number;
  readonly earlierCalls: number;
  readonly earlierFailures: number;
}

/** Whether a call may go out, and the circuit from then on. */
export type Admission =
  | { readonly kind: "allow"; readonly circuit: Circuit }
  | { readonly kind: "reject"; readonly circuit: Circuit; readonly retryAfterMs: Millis };

/** The circuit of an endpoint about which nothing is known. */
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

/** Whether the next call is the probe that decides. */
export function isDue(circuit: Circuit, now: Millis): boolean {
  return circuit.kind !== "closed" && !isOpen(circuit, now);
}

/**
 * Decides whether one call may go out, and what the circuit is from then on.
 *
 * The first call at or after `probeAt` goes out as the probe. A probe that
 * never reports back is replaced after as long again: the isolate that sent it
 * may be gone, and a lost answer must not hold the circuit for ever.
 * A circuit that does not reject lets out, besides probes, whatever is sent its
 * way; that changes nothing about it.
 */
export function admit(circuit: Circuit, policy: CircuitPolicy, now: Millis): Admission {
  if (circuit.kind === "closed") return { kind: "allow", circuit };
  if (isOpen(circuit, now)) {
    if (!policy.rejects) return { kind: "allow", circuit };
    return { kind: "reject", circuit, retryAfterMs: circuit.probeAt - now };
  }
  const { openMs } = circuit;
  return { kind: "allow", circuit: { kind: "probing", since: now, probeAt: now + openMs, openMs } };
}

/** When a call ended, and chance. */
export interface Moment {
  readonly now: Millis;
  readonly random: Random;
}

/**
 * Folds the outcome of one admitted call into the circuit. Failures in a row
 * count however far apart they are (Envoy's `consecutive_5xx`); it is always a
 * failure that opens, also where a ratio is exceeded. Each probe that fails
 * doubles how long the circuit stays open; one success closes it, and all is
 * forgotten.
 */
export function record(
  circuit: Circuit,
  policy: CircuitPolicy,
  outcome: "success" | "failure",
  moment: Moment,
): Circuit {
  // A straggler sent before the circuit opened says nothing about now.
  if (circuit.kind === "open") return circuit;
  if (circuit.kind === "probing") {
    return outcome === "success" ? CLOSED : open(policy, doubled(circuit.openMs, policy), moment);
  }
  const isFailure = outcome === "failure";
  const { failureRatio } = policy;
  const failures = isFailure ? circuit.failures + 1 : 0;
  const isTooMany = isFailure && failures >= policy.failuresToOpen;
  if (failureRatio === undefined) {
    if (isTooMany) return open(policy, policy.openForMs, moment);
    return isFailure ? { kind: "closed", failures } : CLOSED;
  }
  const window = count(circuit.window, failureRatio, isFailure, moment.now);
  return isTooMany || (isFailure && exceeds(window, failureRatio))
    ? open(policy, policy.openForMs, moment)
    : { kind: "closed", failures, window };
}

function open({ jitter = 0 }: CircuitPolicy, openMs: Millis, { now, random }: Moment): Circuit {
  return { kind: "open", since: now, probeAt: now + Math.round(openMs * (1 + jitter * random())), openMs };
}

/** Never below what the policy says by now. */
function doubled(openMs: Millis, { openForMs, maxOpenForMs = openForMs }: CircuitPolicy): Millis {
  return Math.max(openForMs, Math.min(openMs * 2, maxOpenForMs));
}

function count(
  window: Window | undefined,
  { windowMs }: FailureRatio,
  isFailure: boolean,
  now: Millis,
): Window {
  const { since, calls, failures, earlierCalls, earlierFailures } = present(window, windowMs / 2, now);
  return {
    since,
    calls: calls + 1,
    failures: failures + (isFailure ? 1 : 0),
    earlierCalls,
    earlierFailures,
  };
}

/** The window as it is at `now`. After a clock that stepped back it begins anew. */
function present(window: Window | undefined, halfMs: Millis, now: Millis): Window {
  const age = window === undefined ? -1 : now - window.since;
  if (window === undefined || age < 0 || age >= 2 * halfMs)
    return { since: now, calls: 0, failures: 0, earlierCalls: 0, earlierFailures: 0 };
  if (age < halfMs) return window;
  return {
    since: window.since + halfMs,
    calls: 0,
    failures: 0,
    earlierCalls: window.calls,
    earlierFailures: window.failures,
  };
}

function exceeds(window: Window, { ratio, minCalls }: FailureRatio): boolean {
  const calls = window.calls + window.earlierCalls;
  return calls >= minCalls && window.failures + window.earlierFailures >= ratio * calls;
}

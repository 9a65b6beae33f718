/**
 * Penalties: an endpoint that refuses at once looks idle, and would draw all
 * calls to itself. So what it refuses counts as if it were still at work on
 * it for a while. The idea is that of Linkerd's `penalize-failures` for its
 * balancer by latency, carried over to one by calls in flight.
 *
 * @module
 */
import type { TryOutcome } from "./retry.ts";
import type { Millis } from "./time.ts";

/** Calls that count as in flight at an endpoint. */
export interface Penalty {
  readonly calls: number;
  /** Until then all of them count; afterwards fewer and fewer. */
  readonly until: Millis;
}

/** The time after which a refused call counts for 1/e: about what a call would have taken that was not refused. */
const DECAY_MS = 1_000;

/** The longest `Retry-After` that is believed: Envoy's base time of an ejection, which is for what lasts longer. */
const MAX_WAIT_MS = 30_000;

/** The most that refusals may pile up. */
const MAX_CALLS = 1_000;

/** Whether a try went so that its endpoint is not idle for want of calls: refused for overload, or not answered. */
export function isRefused(outcome: TryOutcome): boolean {
  return outcome.kind !== "response" || outcome.status === 429 || outcome.status === 503;
}

/**
 * Adds a refused call to what an endpoint has. It weighs 1 more than what
 * other endpoints have in flight on average, `others`: where calls are long,
 * so is what keeps calls away. `retryAfterMs` is what the answer asked for.
 */
export function penalize(
  penalty: Penalty | undefined,
  others: number,
  retryAfterMs: Millis | null,
  now: Millis,
): Penalty {
  const calls = Math.min(MAX_CALLS, weightOf(penalty, now) + 1 + others);
  const until = now + Math.min(MAX_WAIT_MS, retryAfterMs ?? 0);
  return { calls, until: Math.max(until, Math.min(penalty?.until ?? until, now + MAX_WAIT_MS)) };
}

/** Tells how many calls a penalty counts for now. A clock that steps back leaves them as they were. */
export function weightOf(penalty: Penalty | undefined, now: Millis): number {
  if (penalty === undefined) return 0;
  return penalty.calls * Math.exp(-Math.max(0, now - penalty.until) / DECAY_MS);
}

/** Whether a penalty has become too light to turn a comparison. */
export function isOver(penalty: Penalty, now: Millis): boolean {
  return weightOf(penalty, now) < 0.01;
}

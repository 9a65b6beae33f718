/**
 * Hedging: sends a call a second time when the first try takes longer than
 * usual, and takes whichever answers first (Dean and Barroso, The Tail at
 * Scale, 2013).
 *
 * @module
 */
import { isIdempotent } from "./retry.ts";
import { isWithin, type RetryBudget, type Spending } from "./retry-budget.ts";
import { quantile, type Sketch } from "./sketch.ts";
import type { Millis } from "./time.ts";

export interface HedgePolicy {
  /** How long a try may take before another one starts beside it; with `quantile` the least such time. */
  readonly afterMs: Millis;
  /** Waits for this quantile (0..1) of the service's latencies instead, once enough calls tell it. */
  readonly quantile?: number;
  /** Tries beside the first, at most. At least 1. */
  readonly max: number;
}

export interface HedgeInput {
  readonly policy: HedgePolicy;
  /** Hedges share it with retries, and count as such: neither may multiply load. */
  readonly budget: RetryBudget;
  /** As in `RetryInput`. */
  readonly spending: Spending;
  readonly now: Millis;
  readonly method: string;
  /** The request has no body, or it is held in memory. */
  readonly canReplay: boolean;
  /** Tries that were started beside the first. */
  readonly hedges: number;
  /** Since the last try was sent. */
  readonly waitedMs: Millis;
  /** What is left of the whole request; `null` is no limit. */
  readonly remainingMs: Millis | null;
  readonly latencies: Sketch;
}

export type HedgeDecision =
  /** Another try starts now. */
  | { readonly kind: "send" }
  /** Decide again after so long, unless there is an answer by then. */
  | { readonly kind: "wait"; readonly forMs: Millis }
  | { readonly kind: "stop"; readonly why: HedgeStop };

/** Why there is no other try; `unknown`: too few calls have told how long they take. */
export type HedgeStop = "method" | "body" | "attempts" | "unknown" | "deadline" | "budget";

/** Fewer calls say nothing about a quantile in the tail. */
const MIN_CALLS = 100;

/**
 * Decides whether a call that waits for an answer is sent once more. Asked
 * when a try starts, and again when the answer was to wait. Only idempotent
 * calls (RFC 9110 §9.2.2) are hedged, whatever the retry policy says of
 * others, since both tries may well be carried out.
 */
export function decide(input: HedgeInput): HedgeDecision {
  const { policy, waitedMs, remainingMs } = input;
  if (!isIdempotent(input.method)) return { kind: "stop", why: "method" };
  if (!input.canReplay) return { kind: "stop", why: "body" };
  if (input.hedges >= policy.max) return { kind: "stop", why: "attempts" };
  const afterMs = delayMs(policy, input.latencies);
  if (afterMs === null) return { kind: "stop", why: "unknown" };
  const forMs = Math.max(0, afterMs - waitedMs);
  if (remainingMs !== null && forMs >= remainingMs) return { kind: "stop", why: "deadline" };
  if (forMs > 0) return { kind: "wait", forMs };
  return isWithin(input.budget, input.spending, input.now)
    ? { kind: "send" }
    : { kind: "stop", why: "budget" };
}

/** How long the policy waits, in whole milliseconds; `null` while too few calls tell. */
function delayMs(policy: HedgePolicy, latencies: Sketch): Millis | null {
  if (policy.quantile === undefined) return policy.afterMs;
  if (latencies.total < MIN_CALLS) return null;
  return Math.max(policy.afterMs, Math.ceil(quantile(latencies, policy.quantile) ?? 0));
}

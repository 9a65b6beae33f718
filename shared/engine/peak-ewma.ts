/**
 * Peak EWMA: what calls to an endpoint take lately, quick to believe in worse
 * and slow to believe in better (Finagle's and Linkerd's balancer).
 *
 * @module
 */
import type { TryOutcome } from "./retry.ts";
import type { Millis } from "./time.ts";

export interface PeakEwma {
  /** The time after which a past latency counts for 1/e. Linkerd's is 10 s. Above 0. */
  readonly decayMs: Millis;
  /** Taken for an endpoint that was never called. Linkerd's is 30 ms. Above 0. */
  readonly defaultRttMs: Millis;
}

/** What one endpoint's calls took, as of `at`. */
export interface Rtt {
  readonly ms: Millis;
  readonly at: Millis;
}

/** How one try went. */
export interface Sample {
  /** The endpoint's. */
  readonly id: string;
  /** From sending to response headers, or to the failure. */
  readonly latencyMs: Millis;
  readonly outcome: TryOutcome;
  /** What the response asked for by `Retry-After`; `null` when it did not. */
  readonly retryAfterMs: Millis | null;
}

/** Linkerd's `penalize-failures`: a failure counts as a call that took so long. */
const PENALTY_MS = 5_000;

/** Linkerd's limit on what a `Retry-After` may ask for. */
const MAX_PENALTY_MS = 300_000;

/**
 * Folds a sample into what is known. A latency above the estimate, or the
 * first, replaces it at once; one below it weighs the more the longer nothing
 * was heard.
 */
export function update(rtt: Rtt | undefined, policy: PeakEwma, sample: Sample, now: Millis): Rtt {
  const ms = Math.max(0, sample.latencyMs, penaltyOf(sample));
  if (rtt === undefined || ms >= estimate(rtt, policy, now)) return { ms, at: now };
  const kept = keptShare(rtt, policy, now);
  return { ms: rtt.ms * kept + ms * (1 - kept), at: now };
}

/**
 * What a call would take now. It decays towards 0 while nothing is heard, so
 * that a slow endpoint is tried again; one never called has the default. A
 * clock that steps back leaves the estimate as it was.
 */
export function estimate(rtt: Rtt | undefined, policy: PeakEwma, now: Millis): Millis {
  if (rtt === undefined) return policy.defaultRttMs;
  return rtt.ms * keptShare(rtt, policy, now);
}

function keptShare({ at }: Rtt, { decayMs }: PeakEwma, now: Millis): number {
  return Math.exp(-Math.max(0, now - at) / decayMs);
}

/** Failures are often fast: without a penalty they would attract calls. */
function penaltyOf({ outcome, retryAfterMs }: Sample): Millis {
  if (outcome.kind === "response" && outcome.status !== 429 && outcome.status !== 503) return 0;
  // "At once" is no measure of how long it will go on.
  const asksForTime = retryAfterMs !== null && retryAfterMs > 0;
  return asksForTime ? Math.min(MAX_PENALTY_MS, retryAfterMs) : PENALTY_MS;
}

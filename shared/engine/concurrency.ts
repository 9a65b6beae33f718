/**
 * Bulkheads: how many calls a host lets out to a service at once, so that a
 * slow service does not take the caller's host with it. Envoy's circuit
 * breaker thresholds.
 *
 * @module
 */
import type { Priority } from "./priority.ts";

/** Thresholds of one host for one service. `null` is no limit (Istio's default; Envoy's are 1024, 1024 and 3). */
export interface Thresholds {
  /** Calls in flight. Above it, calls wait. */
  readonly maxRequests: number | null;
  /** Calls that wait. Above it, calls are refused; 0 refuses all that would have to wait. */
  readonly maxPending: number | null;
  /** Retries in flight, on top of the retry budget. */
  readonly maxRetries: number | null;
}

/** Calls of each priority have thresholds and counts of their own, as in Envoy; `low` shares those of `default`. */
export type ConcurrencyPolicy = Readonly<Record<Exclude<Priority, "low">, Thresholds>>;

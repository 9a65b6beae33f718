/**
 * Retries: whether a failed try is tried again, when, and within what budget.
 *
 * @module
 */
import type { Millis } from "./time.ts";

/**
 * What counts as worth another try. `connect-failure`: nothing was sent;
 * `reset`: the connection broke before response headers; `timeout`: the
 * per-try time-out ran out; `gateway-error`: 502, 503, 504.
 */
export type RetryCondition = "connect-failure" | "reset" | "timeout" | "gateway-error" | "5xx";

export interface RetryBudget {
  /** Retries in flight as a share of requests in flight, 0..1. Envoy's default is 0.2. */
  readonly ratio: number;
  /** Retries in flight that are always allowed. Envoy's default is 3. */
  readonly minConcurrent: number;
}

export interface RetryPolicy {
  /** Tries after the first. 0 turns retries off. */
  readonly retries: number;
  readonly on: readonly RetryCondition[];
  /** Upstream statuses that are retried besides those of `on`. */
  readonly statusCodes: readonly number[];
  /** Full-jitter exponential back-off: try n waits up to `min(maxMs, baseMs * 2^(n-1))`. */
  readonly backoff: { readonly baseMs: Millis; readonly maxMs: Millis };
  /** Retries calls of any method. Otherwise only idempotent ones (RFC 9110 §9.2.2) and connect failures. */
  readonly anyMethod: boolean;
  readonly budget: RetryBudget;
}

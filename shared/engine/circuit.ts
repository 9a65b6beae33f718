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
  /** How long an open circuit turns calls away before it lets a probe out. */
  readonly openForMs: Millis;
}

/**
 * Overload: how many calls a workload works on at once, found out by how its
 * latency grows, and which calls are refused when that is reached.
 *
 * @module
 */
import type { Millis } from "./time.ts";

/** Envoy's gradient controller, for a host that sees all calls of its workload. */
export interface OverloadPolicy {
  /** The limit never falls below it, nor does measuring the minimum latency. Envoy: 3. */
  readonly minConcurrency: number;
  /** The limit never rises above it. Envoy: 1,000. */
  readonly maxConcurrency: number;
  /** How often the limit is computed anew. Envoy has no default; 100 ms in its documentation. */
  readonly updateEveryMs: Millis;
  /** How often the minimum latency is measured anew, at a low concurrency. Envoy's documentation: 60 s. */
  readonly measureEveryMs: Millis;
  /** Calls that the measure takes. Envoy: 50. */
  readonly measureCalls: number;
  /** How much of the latency above the minimum is normal, as a share of it. Envoy: 0.25. */
  readonly buffer: number;
  /** Which latency is looked at, in percent of calls. Envoy: 50. */
  readonly percentile: number;
}

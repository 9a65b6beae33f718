/**
 * Outlier detection: which endpoints fail so much more than they should that
 * calls are kept from them for a while. Envoy's detectors.
 *
 * @module
 */
import type { Millis } from "./time.ts";

export interface OutlierPolicy {
  /** From one look at success rates to the next. Envoy: 10 s. */
  readonly intervalMs: Millis;
  /** An ejection lasts this long times the ejections so far. Envoy: 30 s. */
  readonly baseEjectionMs: Millis;
  /** The longest ejection. Envoy: 300 s, or the base if that is longer. */
  readonly maxEjectionMs: Millis;
  /** The share of endpoints that may be ejected at once, 0..1; one always may. Envoy: 0.1. */
  readonly maxEjectedRatio: number;
  /** 5xx in a row that eject; failures without an answer count as such unless they are split. Envoy: 5. `null`: off. */
  readonly consecutive5xx: number | null;
  /** 502, 503 and 504 in a row. `null`: off, as in Envoy. */
  readonly consecutiveGatewayErrors: number | null;
  /** Failures without an answer in a row; only where they are split. Envoy: 5. `null`: off. */
  readonly consecutiveLocalFailures: number | null;
  /** Failures without an answer are counted apart from 5xx (Envoy's `split_external_local_origin_errors`). */
  readonly splitsLocalFailures: boolean;
  /** Ejects below the mean success rate minus a multiple of its standard deviation. `null`: off. */
  readonly successRate: SuccessRate | null;
  /** Ejects at a share of failures. `null`: off, as in Envoy. */
  readonly failurePercentage: FailurePercentage | null;
}

export interface SuccessRate {
  /** Endpoints with enough calls below which nobody is compared. Envoy: 5. */
  readonly minEndpoints: number;
  /** Calls in an interval below which an endpoint is not looked at. Envoy: 100. */
  readonly minVolume: number;
  /** Envoy: 1.9. */
  readonly stdevFactor: number;
}

export interface FailurePercentage {
  /** Failures in percent from which on an endpoint is ejected. Envoy: 85. */
  readonly threshold: number;
  /** Envoy: 5. */
  readonly minEndpoints: number;
  /** Envoy: 50. */
  readonly minVolume: number;
}

/** What one host saw of one endpoint since its last report. */
export interface OutcomeCounts {
  readonly endpoint: string;
  readonly calls: number;
  /** Answers of 500 and above. */
  readonly serverErrors: number;
  /** Of those, 502, 503 and 504. */
  readonly gatewayErrors: number;
  /** Calls without an answer: refused, reset, timed out. */
  readonly localFailures: number;
  /** Failures in a row, of any kind, at the end; equal to `calls` when there was no success in between. */
  readonly trailing: number;
}

/** An endpoint that is kept out of use. */
export interface Ejection {
  readonly endpoint: string;
  /** Milliseconds since the epoch. */
  readonly until: Millis;
}

/**
 * What hosts tell about the calls that they carried.
 *
 * @module
 */

import type { CallSample } from "./recorded-call.ts";

/** The dimensions of one series. Every value comes from configuration or a closed set, never from a client. */
export interface CallLabels {
  /** `namespace/name` of the caller's workload or gateway; `unknown` when it was not proved. */
  readonly source: string;
  /** `namespace/name` of the service called; `unknown` when none was found. */
  readonly destination: string;
  /** `version` label of the endpoint that answered; empty when none did. */
  readonly version: string;
  /** `namespace/name` of the deciding route; empty for the service's default. */
  readonly route: string;
  /** A registered method, else `OTHER`. */
  readonly method: string;
  /** `2xx` … `5xx`. */
  readonly statusClass: string;
  /** The problem code when the mesh answered itself, else empty. */
  readonly reason: string;
}

/** Bounds of the latency histogram in milliseconds; the last bucket is open. Prometheus' defaults, from 1 ms to 10 s. */
export const LATENCY_BOUNDS_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000] as const;

/** Calls of one series since the last report. */
export interface CallSeries {
  readonly labels: CallLabels;
  readonly count: number;
  readonly sumMs: number;
  /** One count per bound plus the open bucket; not cumulative. */
  readonly buckets: readonly number[];
}

/** One report of one isolate. */
export interface CallReport {
  /** Names the isolate; with `sequence` it makes a report's delivery idempotent. */
  readonly reporter: string;
  /** Counts the reporter's reports from 1. */
  readonly sequence: number;
  readonly series: readonly CallSeries[];
  /** Gauges and counters about the host itself. */
  readonly host: HostCounters;
  /** What the host carried calls by when it reported; absent from a release that does not tell. */
  readonly view?: ViewRecord;
  /** Some of the calls that the host decided, now and then; absent: none. */
  readonly calls?: readonly CallSample[];
}

/** The configuration that an isolate has. */
export interface ViewRecord {
  readonly version: number;
  /** Whether the registry has said within the last second that nothing has changed since. */
  readonly isCurrent: boolean;
}

/** What a host counts about itself since its last report. */
export interface HostCounters {
  /** Calls served from a snapshot older than `maxStaleMs`. */
  readonly staleCalls: number;
  readonly syncs: number;
  readonly failedSyncs: number;
  /** Snapshots refused as invalid or older than the current one. */
  readonly refusedSnapshots: number;
  readonly retries: number;
  /** Calls that fell under the `other` labels because the isolate's series cap was reached. */
  readonly overflowedCalls: number;
  /** Copies for mirrors that were not sent: too large a body, too many in flight, or no endpoint to take them. */
  readonly droppedMirrors: number;
  /** Circuits that this host opened; a probe that failed is not counted. */
  readonly openedCircuits: number;
  /** Endpoints that this host's outlier detection took out. */
  readonly ejections: number;
  /** Calls that rate limits in shadow mode would have refused, once for each limit. */
  readonly shadowedCalls: number;
  /** Calls that AuthorizationPolicies with `action: AUDIT` told of. */
  readonly auditedCalls: number;
  /** Calls that AuthorizationPolicies on trial would have denied. */
  readonly trialDenials: number;
  /** Calls that were watched over: while they waited long for an answer, and while their answers stayed open. */
  readonly longCalls: number;
  /** Those of them that were cut. */
  readonly cutCalls: number;
}

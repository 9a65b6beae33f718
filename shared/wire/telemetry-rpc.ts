/**
 * What the telemetry object answers over RPC. Changes are additive, as in `rpc.ts`.
 *
 * @module
 */
import type { UnitKey } from "../engine/snapshot.ts";
import type { CallReport, CallSeries, HostCounters } from "./call-record.ts";
import type { RecordedCall } from "./recorded-call.ts";

export interface TopologyEdge {
  readonly source: string;
  readonly destination: string;
  readonly version: string;
  readonly requestsPerSecond: number;
  /** Share of answers below 500, 0..1. */
  readonly successRatio: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Topology {
  /** The window that rates and latencies cover. */
  readonly windowMs: number;
  readonly nodes: readonly string[];
  readonly edges: readonly TopologyEdge[];
}

export interface TelemetryTotals {
  readonly series: readonly CallSeries[];
  readonly host: HostCounters;
}

/** The isolates that have reported within the last minute. */
export interface IsolatesStatus {
  readonly current: number;
  /** Those that carried calls by configuration that the registry had not confirmed for a second. */
  readonly stale: number;
  /** The smallest version among them; `null` for none. A small one may be current: nothing of what it uses has changed since. */
  readonly oldestVersion: number | null;
}

export interface TelemetryApi {
  report(report: CallReport): Promise<void>;
  totals(): Promise<TelemetryTotals>;
  /** Only isolates of a release that tells of its configuration are counted. */
  isolates(): Promise<IsolatesStatus>;
  topology(): Promise<Topology>;
  /** Of what units calls were recorded; of some namespaces, or of all (`null`). */
  recordedUnits(namespaces: readonly string[] | null): Promise<readonly CallsOfUnit[]>;
  recordedCalls(units: readonly UnitKey[]): Promise<readonly StoredCall[]>;
}

/** How many distinct calls are recorded of a unit. */
export interface CallsOfUnit {
  readonly unit: UnitKey;
  readonly calls: number;
}

/** A recorded call and those like it. */
export interface StoredCall {
  readonly call: RecordedCall;
  /** How many were recorded: fewer than were made. */
  readonly calls: number;
  /** When the last of them was, in milliseconds since the epoch. */
  readonly seenAt: number;
}

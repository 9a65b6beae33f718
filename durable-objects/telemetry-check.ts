/**
 * What of a report may be counted. Reports come from Workers that the mesh
 * does not run: none may break a counter for the others.
 *
 * @module
 */
import { LATENCY_BOUNDS_MS } from "../shared/wire/call-record.ts";
import type {
  CallLabels,
  CallReport,
  CallSeries,
  HostCounters,
  ViewRecord,
} from "../shared/wire/call-record.ts";

/** A host gathers 2,000 series at most, and a few under `other`. */
const MAX_REPORT_SERIES = 4_000;

/** Two Kubernetes names and the slash between them, with room to spare. */
const MAX_LABEL_LENGTH = 640;

/** A namespace, a service account and the name of an isolate. */
const MAX_REPORTER_LENGTH = 384;

const HOST_COUNTERS: readonly (keyof HostCounters)[] = [
  "staleCalls",
  "syncs",
  "failedSyncs",
  "refusedSnapshots",
  "retries",
  "overflowedCalls",
  "droppedMirrors",
  "openedCircuits",
  "ejections",
  "shadowedCalls",
  "auditedCalls",
  "trialDenials",
  "longCalls",
  "cutCalls",
];

/** Whether a report can be told from a repetition of itself. */
export function isNumbered({ reporter, sequence }: CallReport): boolean {
  return reporter.length <= MAX_REPORTER_LENGTH && Number.isSafeInteger(sequence);
}

/** The series that make sense; the others are left out. */
export function countableSeries({ series }: CallReport): readonly CallSeries[] {
  return series.slice(0, MAX_REPORT_SERIES).filter(isCountable);
}

/** The host's counters that make sense and are not 0; what is none of them is left out. */
export function countableHost({ host }: CallReport): readonly (readonly [keyof HostCounters, number])[] {
  return HOST_COUNTERS.map((name) => [name, host[name]] as const).filter(
    ([, value]) => isCount(value) && value > 0,
  );
}

/** What a host says of its configuration, if that makes sense. */
export function countableView({ view }: CallReport): ViewRecord | null {
  return view !== undefined && isCount(view.version) && typeof view.isCurrent === "boolean" ? view : null;
}

/** The labels of calls that come after the cap of series: few values, whatever was reported. */
export function overflowLabels({ statusClass }: CallLabels): CallLabels {
  return {
    source: "other",
    destination: "other",
    version: "",
    route: "other",
    method: "OTHER",
    statusClass: /^[1-5]xx$/.test(statusClass) ? statusClass : "other",
    reason: "",
  };
}

function isCountable({ labels, count, sumMs, buckets }: CallSeries): boolean {
  const { source, destination, version, route, method, statusClass, reason } = labels;
  return (
    [source, destination, version, route, method, statusClass, reason].every(isLabel) &&
    isCount(count) &&
    Number.isFinite(sumMs) &&
    sumMs >= 0 &&
    buckets.length === LATENCY_BOUNDS_MS.length + 1 &&
    buckets.every(isCount) &&
    buckets.reduce((sum, more) => sum + more, 0) === count
  );
}

function isLabel(value: unknown): boolean {
  return typeof value === "string" && value.length <= MAX_LABEL_LENGTH;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

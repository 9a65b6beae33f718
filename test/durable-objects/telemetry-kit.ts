/** Reports of hosts, for the tests of telemetry. */
import { LATENCY_BOUNDS_MS } from "../../shared/wire/call-record.ts";
import type { CallLabels, CallReport, CallSeries, HostCounters } from "../../shared/wire/call-record.ts";
import { NO_COUNTS } from "../fakes/counts.ts";

export const LABELS: CallLabels = {
  source: "shop/web",
  destination: "shop/reviews",
  version: "v1",
  route: "shop/all",
  method: "GET",
  statusClass: "2xx",
  reason: "",
};

/** Calls of one series that all took as long as the bound of one bucket. */
export function series(labels: Partial<CallLabels>, count: number, bucket = 3): CallSeries {
  const buckets = Array.from({ length: LATENCY_BOUNDS_MS.length + 1 }, (_, at) =>
    at === bucket ? count : 0,
  );
  return {
    labels: { ...LABELS, ...labels },
    count,
    sumMs: count * (LATENCY_BOUNDS_MS[bucket] ?? 0),
    buckets,
  };
}

export function report(
  sequence: number,
  all: readonly CallSeries[],
  host: Partial<HostCounters> = {},
  reporter = "host-1",
): CallReport {
  return { reporter, sequence, series: all, host: { ...NO_COUNTS, ...host } };
}

/**
 * Who calls whom, from the windows of the last minutes.
 *
 * @module
 */
import * as histogram from "../shared/engine/histogram.ts";
import type { Millis } from "../shared/engine/time.ts";
import { LATENCY_BOUNDS_MS, type CallSeries } from "../shared/wire/call-record.ts";
import type { Topology, TopologyEdge } from "../shared/wire/telemetry-rpc.ts";

/** The calls along one edge in some time. */
export interface EdgeCounts {
  readonly source: string;
  readonly destination: string;
  readonly version: string;
  readonly count: number;
  /** Calls that were answered with 500 or above. */
  readonly failures: number;
  /** One count per latency bound plus the open bucket. */
  readonly buckets: readonly number[];
}

/** Adds up what a report says of each edge. */
export function edgesOf(series: readonly CallSeries[]): EdgeCounts[] {
  return mergeEdges(
    series.map(({ labels, count, buckets }) => {
      const { source, destination, version, statusClass } = labels;
      return { source, destination, version, count, failures: statusClass === "5xx" ? count : 0, buckets };
    }),
  );
}

/** Draws the topology of one window, by name. */
export function topologyOf(windows: readonly EdgeCounts[], windowMs: Millis): Topology {
  const edges = mergeEdges(windows).map((edge) => describe(edge, windowMs));
  edges.sort((a, b) => compare(edgeName(a), edgeName(b)));
  const nodes = new Set(edges.flatMap(({ source, destination }) => [source, destination]));
  return { windowMs, nodes: [...nodes].sort(compare), edges };
}

function mergeEdges(counts: readonly EdgeCounts[]): EdgeCounts[] {
  const merged = new Map<string, EdgeCounts>();
  for (const more of counts) {
    const known = merged.get(edgeName(more));
    merged.set(edgeName(more), known === undefined ? more : addEdges(known, more));
  }
  return [...merged.values()];
}

/** Adds the calls of two windows of the same edge. */
export function addEdges(a: EdgeCounts, b: EdgeCounts): EdgeCounts {
  return {
    ...a,
    count: a.count + b.count,
    failures: a.failures + b.failures,
    buckets: histogram.merge(a.buckets, b.buckets),
  };
}

function describe(
  { source, destination, version, count, failures, buckets }: EdgeCounts,
  windowMs: Millis,
): TopologyEdge {
  return {
    source,
    destination,
    version,
    requestsPerSecond: count / (windowMs / 1000),
    successRatio: count === 0 ? 1 : (count - failures) / count,
    p50Ms: histogram.quantile(buckets, LATENCY_BOUNDS_MS, 0.5),
    p99Ms: histogram.quantile(buckets, LATENCY_BOUNDS_MS, 0.99),
  };
}

function edgeName({
  source,
  destination,
  version,
}: Pick<EdgeCounts, "source" | "destination" | "version">): string {
  return JSON.stringify([source, destination, version]);
}

/** By code units: the same order everywhere. */
function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

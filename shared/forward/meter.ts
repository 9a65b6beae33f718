/**
 * Counts calls in memory and reports them in batches: metrics must not cost
 * an object call per request.
 *
 * @module
 */
import * as histogram from "../engine/histogram.ts";
import type { Millis } from "../engine/time.ts";
import { LATENCY_BOUNDS_MS } from "../wire/call-record.ts";
import type { CallLabels, CallReport, CallSeries, HostCounters } from "../wire/call-record.ts";
import { MAX_STALE_MS } from "./freshness.ts";
import * as recorder from "./recorder.ts";
import type { Mesh } from "./state.ts";

/** Label values come from configuration, which can be large: this bounds an isolate's memory and a report's size. */
export const MAX_SERIES = 2_000;
/** After a quiet time the first calls are gathered for as long before a report: a single one is seen soon. */
export const FLUSH_AFTER_MS = 200;
/** From one report of an isolate to the next, however many calls it carries. */
export const FLUSH_EVERY_MS = 1_000;
/** A flush that takes longer died with its request: another may start. */
const FLUSH_LIMIT_MS = 5_000;

const METHODS = new Set("GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH QUERY".split(" "));

type Writable<T> = { -readonly [K in keyof T]: T[K] };

interface Counting extends Writable<CallSeries> {
  readonly buckets: number[];
}

export interface Meter {
  series: Map<string, Counting>;
  host: Writable<HostCounters>;
  sequence: number;
  /** A report that has not been acknowledged: sent again as it is, so that it counts once. */
  unacknowledged: CallReport | null;
  flushAt: Millis | null;
  /** When the last report was sent. */
  flushedAt: Millis;
}

/** A meter that has counted nothing. */
export function createMeter(): Meter {
  return {
    series: new Map(),
    host: noCounts(),
    sequence: 0,
    unacknowledged: null,
    flushAt: null,
    flushedAt: 0,
  };
}

/** Counts one call and sees to it that it is reported. */
export function record(mesh: Mesh, labels: CallLabels, durationMs: Millis): void {
  const { meter } = mesh.state;
  const series = seriesOf(meter, labels);
  series.count += 1;
  series.sumMs += durationMs;
  histogram.add(series.buckets, LATENCY_BOUNDS_MS, durationMs);
  scheduleFlush(mesh);
}

/** A registered method, or one name for whatever clients think of. */
export function methodLabel(method: string): string {
  return METHODS.has(method) ? method : "OTHER";
}

/** Reports what was counted so far; what cannot be delivered is kept for the next time. Never rejects. */
export async function flush(mesh: Mesh): Promise<void> {
  const { meter } = mesh.state;
  meter.unacknowledged ??= cut(mesh);
  if (meter.unacknowledged === null) return;
  try {
    await mesh.ports.control.report(meter.unacknowledged);
    meter.unacknowledged = null;
  } catch (error) {
    // Calls that come meanwhile are counted on, in as many series at most.
    mesh.ports.log({ event: "telemetry.unreported", error: String(error).slice(0, 256) });
  }
}

function noCounts(): Writable<HostCounters> {
  return {
    staleCalls: 0,
    syncs: 0,
    failedSyncs: 0,
    refusedSnapshots: 0,
    retries: 0,
    overflowedCalls: 0,
    droppedMirrors: 0,
    openedCircuits: 0,
    ejections: 0,
    shadowedCalls: 0,
    auditedCalls: 0,
    trialDenials: 0,
    longCalls: 0,
    cutCalls: 0,
  };
}

function seriesOf(meter: Meter, labels: CallLabels): Counting {
  const known = meter.series.get(nameOf(labels));
  if (known !== undefined) return known;
  if (meter.series.size < MAX_SERIES) return addSeries(meter, labels);
  meter.host.overflowedCalls += 1;
  const other = { ...labels, source: "other", destination: "other", version: "", route: "other" };
  return meter.series.get(nameOf(other)) ?? addSeries(meter, other);
}

function addSeries(meter: Meter, labels: CallLabels): Counting {
  const series = { labels, count: 0, sumMs: 0, buckets: histogram.empty(LATENCY_BOUNDS_MS) };
  meter.series.set(nameOf(labels), series);
  return series;
}

/** No label value holds a line break. */
function nameOf(labels: CallLabels): string {
  const { source, destination, version, route, method, statusClass, reason } = labels;
  return `${source}\n${destination}\n${version}\n${route}\n${method}\n${statusClass}\n${reason}`;
}

function scheduleFlush(mesh: Mesh): void {
  const { meter } = mesh.state;
  const now = mesh.ports.now();
  if (meter.flushAt !== null && now < meter.flushAt + FLUSH_LIMIT_MS) return;
  // A clock that stepped back makes nobody wait longer than usual.
  const sinceMs = Math.max(0, now - meter.flushedAt);
  const afterMs = Math.max(FLUSH_AFTER_MS, FLUSH_EVERY_MS - sinceMs);
  meter.flushAt = now + afterMs;
  mesh.ports.defer(flushLater(mesh, afterMs));
}

async function flushLater(mesh: Mesh, afterMs: Millis): Promise<void> {
  await mesh.ports.sleep(afterMs);
  mesh.state.meter.flushAt = null;
  mesh.state.meter.flushedAt = mesh.ports.now();
  await flush(mesh);
}

/** Takes what was counted out of the meter, and calls that were recorded along. */
function cut({ state: { meter, reporter, snapshot, recorder: own }, ports }: Mesh): CallReport | null {
  const calls = recorder.cut(own, ports.now());
  if (meter.series.size === 0 && calls.length === 0) return null;
  meter.sequence += 1;
  const { sequence, host } = meter;
  const view = {
    version: snapshot.view.version,
    isCurrent: ports.now() - snapshot.currentAt <= MAX_STALE_MS,
  };
  const series = [...meter.series.values()];
  const report = { reporter, sequence, series, host, view, ...(calls.length === 0 ? {} : { calls }) };
  meter.series = new Map();
  meter.host = noCounts();
  return report;
}

/**
 * Overload: how many calls a workload works on at once, found out by how its
 * latency grows, and which calls are refused when that is reached. Envoy's
 * gradient controller, with three departures: the minimum latency is measured
 * without refusing anybody where enough calls come alone anyway; a limit that
 * is not made use of does not change; and what a limit does to latency is seen
 * before the next one is computed, for a loop that is quicker than what it
 * looks at swings.
 *
 * @module
 */
import type { Priority } from "./priority.ts";
import { createSketch, add, quantile, type Sketch } from "./sketch.ts";
import { expire, type Slot } from "./slot.ts";
import type { Millis, Random } from "./time.ts";

/** Envoy's gradient controller, for a host that sees all calls of its workload. */
export interface OverloadPolicy {
  /** The limit never falls below it, nor does measuring the minimum latency. Envoy: 3. */
  readonly minConcurrency: number;
  /** The limit never rises above it. Envoy: 1,000. */
  readonly maxConcurrency: number;
  /**
   * How often the limit is computed anew, plus the latency that is looked at.
   * Envoy has no default; 100 ms in its documentation.
   */
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

/** A call that the workload works on. */
export interface Visit extends Slot {
  readonly startedAt: Millis;
  /** No more than `minConcurrency` calls were in flight when it came. */
  readonly isQuiet: boolean;
}

/** What one host knows of its workload. Owned and kept by the host, changed by `admit`, `finish` and `giveUp`. */
export interface Controller {
  limit: number;
  readonly inFlight: Set<Visit>;
  /** The most calls in flight since the last update. */
  peak: number;
  /** Latencies of calls that have come since the last update. */
  window: Sketch;
  updatedAt: Millis;
  updateAt: Millis;
  /** Updates in a row that left the limit as low as it can be. */
  lows: number;
  /** `null` before the first measure. */
  minimumMs: Millis | null;
  /** Latencies of calls among few others since the last measure. */
  quiet: Sketch;
  measureAt: Millis;
  /** Since when calls are kept few in order to measure; `null`: they are not. */
  measuringSince: Millis | null;
}

/** A call, or its end, at the workload. */
export interface Moment {
  readonly now: Millis;
  readonly random: Random;
}

/** Before anything is known. Netflix's concurrency-limits begin with the same. */
const INITIAL_LIMIT = 20;

/** Until the first measure: long enough for an isolate that is not busy to learn without keeping calls few. */
const FIRST_MEASURE_MS: Millis = 1_000;

/** Keeping calls few takes no longer, if it brought any latency at all: fewer calls than asked for must do then. */
const MAX_MEASURE_MS: Millis = 1_000;

/** So many updates at the lowest limit cast doubt on the minimum latency (Envoy's `consecutive_min_concurrency`). */
const MAX_LOWS = 5;

/** What the clock cannot tell apart is no growth of latency. */
const CLOCK_MS: Millis = 1;

/** The share of the limit that calls of a priority may fill, with those of all others. */
const SHARES: Readonly<Record<Priority, number>> = { low: 0.8, default: 0.9, high: 1 };

/** Knows nothing yet. */
export function createController(
  { minConcurrency, maxConcurrency }: OverloadPolicy,
  moment: Moment,
): Controller {
  return {
    limit: clamp(INITIAL_LIMIT, minConcurrency, maxConcurrency),
    inFlight: new Set(),
    peak: 0,
    window: createSketch(),
    updatedAt: moment.now,
    updateAt: moment.now,
    lows: 0,
    minimumMs: null,
    quiet: createSketch(),
    // Jittered: isolates that start together do not measure together.
    measureAt: moment.now + FIRST_MEASURE_MS * (1 + moment.random()),
    measuringSince: null,
  };
}

/** Lets a call in that may last until `until`, or refuses it with `null`. Each that is let in needs `finish` or `giveUp`. */
export function admit(
  controller: Controller,
  policy: OverloadPolicy,
  { priority, until }: { readonly priority: Priority; readonly until: Millis },
  moment: Moment,
): Visit | null {
  const { inFlight } = controller;
  turn(controller, policy, moment);
  const limit = Math.ceil(limitOf(controller, policy) * SHARES[priority]);
  if (inFlight.size >= limit) expire(inFlight, moment.now);
  if (inFlight.size >= limit) return null;
  const visit = { until, startedAt: moment.now, isQuiet: inFlight.size < policy.minConcurrency };
  inFlight.add(visit);
  controller.peak = Math.max(controller.peak, inFlight.size);
  return visit;
}

/** Counts a call that the workload has answered, and how long that took. */
export function finish(controller: Controller, policy: OverloadPolicy, visit: Visit, moment: Moment): void {
  const { inFlight, quiet, window } = controller;
  const isQuiet = visit.isQuiet && inFlight.size <= policy.minConcurrency;
  // Nobody believed any more that it would end.
  if (!inFlight.delete(visit)) return;
  const latencyMs = moment.now - visit.startedAt;
  if (visit.startedAt >= controller.updatedAt) add(window, latencyMs);
  if (isQuiet) add(quiet, latencyMs);
  turn(controller, policy, moment);
}

/** A call ends without an answer that tells anything: its caller has gone. */
export function giveUp({ inFlight }: Controller, visit: Visit): void {
  inFlight.delete(visit);
}

/** How many calls may be in flight now, before shares by priority. */
export function limitOf(
  { limit, measuringSince }: Controller,
  { minConcurrency, maxConcurrency }: OverloadPolicy,
): number {
  return measuringSince === null ? clamp(limit, minConcurrency, maxConcurrency) : minConcurrency;
}

/** Does what is due. */
function turn(controller: Controller, policy: OverloadPolicy, moment: Moment): void {
  const { now } = moment;
  const { measuringSince, quiet } = controller;
  const isEnough = quiet.total >= policy.measureCalls;
  if (measuringSince !== null) {
    const isLong = now - measuringSince >= MAX_MEASURE_MS && quiet.total > 0;
    if (isEnough || isLong) measure(controller, policy, moment);
  } else if (now >= controller.measureAt) {
    if (isEnough) measure(controller, policy, moment);
    else controller.measuringSince = now;
  } else if (now >= controller.updateAt) {
    update(controller, policy, now);
  }
}

/** Takes the latency of calls among few others as the minimum. */
function measure(
  controller: Controller,
  { measureEveryMs, percentile, updateEveryMs }: OverloadPolicy,
  { now, random }: Moment,
): void {
  controller.minimumMs = quantile(controller.quiet, percentile / 100);
  controller.quiet = createSketch();
  controller.measuringSince = null;
  // Up to a tenth more or less, so that isolates do not stay in step.
  controller.measureAt = now + measureEveryMs * (0.9 + 0.2 * random());
  // Calls of the measure say nothing about the limit that comes back into force.
  startWindow(controller, now, updateEveryMs + (controller.minimumMs ?? 0));
}

function update(controller: Controller, policy: OverloadPolicy, now: Millis): void {
  const { limit, minimumMs, peak, window } = controller;
  const { minConcurrency, maxConcurrency, buffer, percentile } = policy;
  const latencyMs = quantile(window, percentile / 100);
  // Nobody has come and gone since: the window goes on.
  if (latencyMs === null) return;
  startWindow(controller, now, policy.updateEveryMs + latencyMs);
  // Where few of the slots were used, latency tells nothing about their number.
  if (minimumMs === null || peak * 2 < limit) return;
  const allowedMs = minimumMs + Math.max(minimumMs * buffer, CLOCK_MS);
  const scaled = limit * clamp(allowedMs / latencyMs, 0.5, 2);
  controller.limit = clamp(scaled + Math.sqrt(scaled), minConcurrency, maxConcurrency);
  controller.lows = controller.limit > minConcurrency ? 0 : controller.lows + 1;
  if (controller.lows < MAX_LOWS) return;
  controller.lows = 0;
  controller.measureAt = now;
}

function startWindow(controller: Controller, now: Millis, forMs: Millis): void {
  controller.window = createSketch();
  controller.updatedAt = now;
  controller.updateAt = now + forMs;
  controller.peak = controller.inFlight.size;
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

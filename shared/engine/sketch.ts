/**
 * What one host's calls to a service lately took: quantiles with a relative
 * error of at most 5 %, in at most a few kilobytes (DDSketch, Masson et al.,
 * VLDB 2019).
 *
 * @module
 */
import type { Millis } from "./time.ts";

/** Owned and kept by the host, changed by `add`. */
export interface Sketch {
  /** Values by bucket: bucket i holds `(GAMMA^(i-1), GAMMA^i]` milliseconds; the first everything up to 1 ms. */
  readonly counts: number[];
  /** The sum of `counts`. */
  total: number;
}

const RELATIVE_ERROR = 0.05;
const GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const LOG_GAMMA = Math.log(GAMMA);

/** An hour: whatever takes longer counts as this. */
const MAX_MS = 3_600_000;

/** At this weight all counts are halved, so that a service that changed is known by its last thousands of calls. */
const MAX_TOTAL = 4096;

/** Makes a sketch that has seen nothing. */
export function createSketch(): Sketch {
  return { counts: [], total: 0 };
}

/** Counts one call. A time below 0, from a clock that stepped back, counts as the shortest. */
export function add(sketch: Sketch, ms: Millis): void {
  if (sketch.total >= MAX_TOTAL) halve(sketch);
  const index = Math.ceil(Math.log(Math.min(MAX_MS, Math.max(1, ms))) / LOG_GAMMA);
  while (sketch.counts.length <= index) sketch.counts.push(0);
  sketch.counts[index] = (sketch.counts[index] ?? 0) + 1;
  sketch.total += 1;
}

/** The `q` quantile (0..1) of what was counted; `null` before the first call. */
export function quantile({ counts, total }: Sketch, q: number): Millis | null {
  if (total === 0) return null;
  // The rank of a value among those in order, from 0.
  const rank = q * (total - 1);
  let upTo = 0;
  let index = 0;
  for (const [at, count] of counts.entries()) {
    index = at;
    upTo += count;
    if (upTo > rank) break;
  }
  // The value whose relative distance to both ends of the bucket is the same.
  return (2 * GAMMA ** index) / (GAMMA + 1);
}

function halve(sketch: Sketch): void {
  sketch.total = 0;
  for (const [index, count] of sketch.counts.entries()) {
    const half = Math.floor(count / 2);
    sketch.counts[index] = half;
    sketch.total += half;
  }
}

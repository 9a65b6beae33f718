/**
 * Figures from calls and times.
 *
 * @module
 */
import type { Call } from "./load.ts";

/** A call that its client sees fail: the mesh or the service broke, or nothing came. */
export function isError({ status }: Pick<Call, "status">): boolean {
  return status === 0 || status >= 500;
}

/** Share of calls that did not fail, 0..1. */
export function successRatio(calls: readonly Call[]): number {
  return calls.length === 0 ? Number.NaN : 1 - calls.filter(isError).length / calls.length;
}

/** How many calls ended in each status. */
export function statuses(calls: readonly Pick<Call, "status">[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { status } of calls) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/**
 * How far the load generator was behind at worst, in milliseconds. From some 200 on the machine had too much to do,
 * and other figures of the run say little.
 */
export function lateness(calls: readonly Call[]): number {
  return round(calls.reduce((worst, { lateMs }) => Math.max(worst, lateMs), 0));
}

/** The q-quantile of values, 0..1; not a number when there are none. */
export function quantile(values: readonly number[], q: number): number {
  const ascending = values.toSorted((a, b) => a - b);
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * q))] ?? Number.NaN;
}

/** The most times within any window of `ms` that begins at one of them. Times ascend. */
export function busiest(times: readonly number[], ms: number): number {
  let first = 0;
  let most = 0;
  for (const [n, time] of times.entries()) {
    while (time - (times[first] ?? time) >= ms) first += 1;
    most = Math.max(most, n - first + 1);
  }
  return most;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Rise of y per x by least squares. */
export function slope(points: readonly Point[]): number {
  const meanX = points.reduce((sum, { x }) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, { y }) => sum + y, 0) / points.length;
  const rise = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0);
  return rise / points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
}

/** Rounded to `digits` after the point: what is printed. */
export function round(value: number, digits = 0): number {
  return Number(value.toFixed(digits));
}

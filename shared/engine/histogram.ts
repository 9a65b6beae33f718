/**
 * Latency histograms with fixed bounds, as data: one count per bound plus an
 * open bucket, not cumulative. A bound belongs to the bucket that it closes
 * (Prometheus' `le`).
 *
 * @module
 */
import type { Millis } from "./time.ts";

/** Makes the buckets of a histogram that has seen nothing. */
export function empty(bounds: readonly Millis[]): number[] {
  return Array.from({ length: bounds.length + 1 }, () => 0);
}

/** Counts one value, in place: buckets belong to whoever meters, and every call adds to them. */
export function add(buckets: number[], bounds: readonly Millis[], valueMs: Millis): void {
  let index = 0;
  while (index < bounds.length && valueMs > (bounds[index] ?? Infinity)) index++;
  buckets[index] = (buckets[index] ?? 0) + 1;
}

/** Adds two histograms of the same bounds. */
export function merge(left: readonly number[], right: readonly number[]): number[] {
  return left.map((count, index) => count + (right[index] ?? 0));
}

/**
 * Estimates the `q` quantile (0..1) as Prometheus' `histogram_quantile` does:
 * values are taken to lie evenly in their bucket, the first of which starts
 * at 0. In the open bucket the answer is the highest bound, without any
 * values 0.
 */
export function quantile(buckets: readonly number[], bounds: readonly Millis[], q: number): Millis {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;

  const rank = q * total;
  let below = 0;
  let lower = 0;
  for (const [index, upper] of bounds.entries()) {
    const count = buckets[index] ?? 0;
    if (count > 0 && below + count >= rank) return lower + (upper - lower) * ((rank - below) / count);
    below += count;
    lower = upper;
  }
  return lower;
}

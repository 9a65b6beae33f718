/**
 * Splitting the requests of one rule between its backends.
 *
 * @module
 */
import type { Backend } from "./route.ts";

/**
 * Picks a backend in proportion to the weights, by a number drawn from [0, 1);
 * `null` when there is none with a weight above 0.
 */
export function pick(backends: readonly Backend[], random: number): Backend | null {
  const point = random * totalWeight(backends);
  let upTo = 0;
  let last: Backend | null = null;
  for (const backend of backends) {
    if (backend.weight <= 0) continue;
    upTo += backend.weight;
    if (point < upTo) return backend;
    last = backend;
  }
  // Only rounding, or a `random` of 1, leads here.
  return last;
}

function totalWeight(backends: readonly Backend[]): number {
  let total = 0;
  for (const backend of backends) total += Math.max(0, backend.weight);
  return total;
}

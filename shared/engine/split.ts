/**
 * Splitting the requests of one rule between its backends.
 *
 * @module
 */
import { unit } from "./hash.ts";
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

/**
 * Picks the backend of a key in proportion to the weights (weighted
 * rendezvous hashing: Thaler and Ravishankar, 1998; Schindelhauer and
 * Schomaker, 2005). Every backend draws a score from the key alone, and its
 * weight stretches it: raising one backend's share over the others' only ever
 * moves keys to that one, without storage, on every host. `null` when there
 * is none with a weight above 0.
 */
export function pickSticky(backends: readonly Backend[], key: string): Backend | null {
  let best: Backend | null = null;
  let bestScore = -1;
  for (const [position, backend] of backends.entries()) {
    if (backend.weight <= 0) continue;
    // The logarithm is negative, or minus infinity for 0: the score is at least 0.
    const score = -backend.weight / Math.log(unit(`${key}\n${nameOf(backends, position)}`));
    if (score <= bestScore) continue;
    best = backend;
    bestScore = score;
  }
  return best;
}

/** What a backend is told apart by; of two that are the same the second draws for itself. */
function nameOf(backends: readonly Backend[], position: number): string {
  const backend = backends[position];
  let repeats = 0;
  for (let at = 0; at < position; at++) if (isSame(backends[at], backend)) repeats += 1;
  return `${backend?.service ?? ""}:${backend?.port ?? ""}:${backend?.subset ?? ""}#${repeats}`;
}

function isSame(one: Backend | undefined, other: Backend | undefined): boolean {
  return one?.service === other?.service && one?.port === other?.port && one?.subset === other?.subset;
}

function totalWeight(backends: readonly Backend[]): number {
  let total = 0;
  for (const backend of backends) total += Math.max(0, backend.weight);
  return total;
}

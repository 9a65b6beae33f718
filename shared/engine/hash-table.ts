/**
 * Consistent hashing: a key leads to the same endpoint for as long as that one
 * may be used, on every host and after every restart, without any storage.
 *
 * @module
 */
import type { Endpoint } from "./endpoint.ts";

/** Endpoints by slot. A key's hash names a slot; the slots after it are where the key goes if it has to move. */
export interface HashTable {
  /** The endpoints it was made for, at most 65,535. */
  readonly ids: readonly string[];
  /** For each slot the index into `ids`. Never empty. */
  readonly owners: Uint16Array;
  /** For a ring: the greatest hash that leads to each slot, in ascending order. `null` when slots are equally wide. */
  readonly borders: Uint32Array | null;
}

/** What a walk along the slots needs to know. */
export interface Walk {
  /** Of the key, 0..2^32-1. */
  readonly hash: number;
  /** Calls in flight by endpoint id. */
  readonly inFlight: ReadonlyMap<string, number>;
  /** The most calls in flight of an endpoint, as a multiple of the average for its weight; `null` is no limit. */
  readonly boundFactor: number | null;
}

/**
 * Finds a key's endpoint among `candidates`: the owner of its slot, or of the
 * next one whose owner is a candidate and has room. Removing an endpoint from
 * the candidates therefore moves only that endpoint's own keys.
 *
 * With a bound no endpoint takes more than `boundFactor` times the average of
 * its weight, rounded up (Mirrokni, Thorup, Zadimoghaddam: Consistent Hashing
 * with Bounded Loads, 2017); what does not fit overflows to the next slots.
 * `null` when no candidate is in the table.
 */
export function find(table: HashTable, candidates: readonly Endpoint[], walk: Walk): Endpoint | null {
  const roomOf = roomIn(candidates, walk);
  const start = slotOf(table, walk.hash);
  const passed = new Set<number>();
  for (let step = 0; step < table.owners.length; step++) {
    const owner = table.owners[(start + step) % table.owners.length] ?? 0;
    if (passed.has(owner)) continue;
    const endpoint = candidates.find(({ id }) => id === table.ids[owner]);
    if (endpoint !== undefined && (walk.inFlight.get(endpoint.id) ?? 0) < roomOf(endpoint)) return endpoint;
    passed.add(owner);
    if (passed.size === table.ids.length) break;
  }
  return null;
}

/** How many calls in flight each candidate may have when one more comes. */
function roomIn(candidates: readonly Endpoint[], walk: Walk): (endpoint: Endpoint) => number {
  const { boundFactor } = walk;
  if (boundFactor === null) return () => Infinity;
  let calls = 1;
  let weight = 0;
  for (const candidate of candidates) {
    calls += walk.inFlight.get(candidate.id) ?? 0;
    weight += candidate.weight;
  }
  return (endpoint) => Math.ceil((boundFactor * calls * endpoint.weight) / weight);
}

function slotOf({ owners, borders }: HashTable, hash: number): number {
  return borders === null ? hash % owners.length : firstAtOrAfter(borders, hash) % owners.length;
}

/** The index of the first border that is not below `hash`; the number of borders when all are. */
function firstAtOrAfter(borders: Uint32Array, hash: number): number {
  let low = 0;
  let high = borders.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((borders[middle] ?? 0) < hash) low = middle + 1;
    else high = middle;
  }
  return low;
}

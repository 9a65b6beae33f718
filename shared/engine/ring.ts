/**
 * The ring of consistent hashing (Karger et al., 1997; ketama): each endpoint
 * stands at many points of a circle, in proportion to its weight, and a key
 * belongs to the next point. An endpoint that comes or goes moves about its
 * own share of keys.
 *
 * @module
 */
import type { Endpoint } from "./endpoint.ts";
import { hash32 } from "./hash.ts";
import type { HashTable } from "./hash-table.ts";

export interface RingSize {
  /** At least so many points in all, and up to twice as many; more make shares more even. Envoy's and Istio's default is 1,024. */
  readonly minSize: number;
  /** At most so many points, and at least one each, however unequal weights are. */
  readonly maxSize: number;
}

/** Builds the ring of some endpoints, of which there must be one. The order of endpoints makes no difference. */
export function buildRing(endpoints: readonly Endpoint[], { minSize, maxSize }: RingSize): HashTable {
  const sorted = endpoints.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const counts = pointsOf(sorted, minSize, maxSize);
  const points = sorted.flatMap(({ id }, owner) =>
    // A double holds both exactly: 32 bits of hash, 16 of owner. Points at the same place are then in order of ids.
    Array.from({ length: counts[owner] ?? 1 }, (_point, at) => hash32(`${id}_${at}`) * 65_536 + owner),
  );
  const ring = Float64Array.from(points).sort();
  return {
    ids: sorted.map(({ id }) => id),
    owners: Uint16Array.from(ring, (point) => point % 65_536),
    borders: Uint32Array.from(ring, (point) => Math.floor(point / 65_536)),
  };
}

/**
 * Points for each endpoint: for the lightest a power of two, so that the ring
 * has its least size, and for others in proportion. Envoy takes the next whole
 * number instead, so that every endpoint that comes or goes changes how many
 * points all others have, and moves twice as many keys as it must.
 */
function pointsOf(endpoints: readonly Endpoint[], minSize: number, maxSize: number): number[] {
  const weights = endpoints.map(({ weight }) => weight);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const least = weights.reduce((min, weight) => Math.min(min, weight), Infinity);
  const each = 2 ** Math.ceil(Math.log2(Math.max(1, (minSize * least) / total)));
  const perWeight = Math.min(each / least, maxSize / total);
  return weights.map((weight) => Math.max(1, Math.floor(weight * perWeight + 1e-9)));
}

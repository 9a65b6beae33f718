/**
 * Maglev's table (Eisenbud et al., NSDI 2016): endpoints take turns in claiming
 * slots, each in an order of its own. Shares are more even than a ring's and a
 * look-up is one access; an endpoint that comes or goes moves a few more keys
 * than its own.
 *
 * @module
 */
import type { Endpoint } from "./endpoint.ts";
import { hash32 } from "./hash.ts";
import type { HashTable } from "./hash-table.ts";

/**
 * Builds the table of some endpoints, of which there must be one. `size` is a
 * prime, so that every order reaches every slot; 65,537 is the paper's larger
 * one and Envoy's default. The order of endpoints makes no difference.
 */
export function buildMaglev(endpoints: readonly Endpoint[], size: number): HashTable {
  const sorted = endpoints.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const heaviest = sorted.reduce((max, { weight }) => Math.max(max, weight), 0);
  const claims = sorted.map(({ id, weight }) => ({
    next: hash32(id) % size,
    skip: (hash32(id, 1) % (size - 1)) + 1,
    // An endpoint of half the weight claims in every other round (Envoy).
    pace: weight / heaviest,
    due: 0,
  }));
  const owners = new Uint16Array(size);
  const isTaken = new Uint8Array(size);
  let left = size;
  while (left > 0) {
    for (const [owner, claim] of claims.entries()) {
      claim.due += claim.pace;
      if (claim.due < 1 || left === 0) continue;
      claim.due -= 1;
      while (isTaken[claim.next] === 1) claim.next = (claim.next + claim.skip) % size;
      isTaken[claim.next] = 1;
      owners[claim.next] = owner;
      left -= 1;
    }
  }
  return { ids: sorted.map(({ id }) => id), owners, borders: null };
}

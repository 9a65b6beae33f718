/**
 * Load balancing: which endpoint gets a call.
 *
 * @module
 */
import type { Endpoint } from "./endpoint.ts";
import type { Random } from "./time.ts";

export type LoadBalancing =
  /** Each endpoint in turn, in proportion to weights. */
  | { readonly kind: "round-robin" }
  /** The least loaded, for its weight, of `choices` endpoints drawn at random (power of two choices). */
  | { readonly kind: "least-request"; readonly choices: number };

/** What one host knows about its own calls to one service. Owned and kept by the host, changed by `pick`, `begin` and `end`. */
export interface Load {
  /** Counts the picks of round robin. */
  cursor: number;
  /** Calls in flight by endpoint id; idle endpoints are absent. */
  readonly inFlight: Map<string, number>;
}

/**
 * Makes the load of a host that has not called yet. The cursor starts
 * anywhere: many short-lived isolates that all began with the first endpoint
 * would make it the busiest.
 */
export function createLoad(random: Random): Load {
  return { cursor: Math.floor(random() * 2 ** 20), inFlight: new Map() };
}

/** Counts a call that goes out to an endpoint; each `begin` needs one `end`. */
export function begin(load: Load, id: string): void {
  load.inFlight.set(id, (load.inFlight.get(id) ?? 0) + 1);
}

/** Counts a call that came back, or failed. */
export function end(load: Load, id: string): void {
  const left = (load.inFlight.get(id) ?? 0) - 1;
  if (left > 0) load.inFlight.set(id, left);
  else load.inFlight.delete(id);
}

/** Picks the endpoint that gets the next call, in proportion to weights; null when there is none to pick from. */
export function pick(
  endpoints: readonly Endpoint[],
  policy: LoadBalancing,
  load: Load,
  random: Random,
): Endpoint | null {
  if (endpoints.length < 2) return endpoints[0] ?? null;
  return policy.kind === "round-robin"
    ? nextInTurn(endpoints, load)
    : leastLoaded(endpoints, policy.choices, load, random);
}

/** The golden section: its multiples, modulo 1, are spread more evenly than those of any other number. */
const GOLDEN_SECTION = (Math.sqrt(5) - 1) / 2;

/**
 * Weighted round robin without state per endpoint, so that the list may
 * change between picks. Equal weights go around; others take the turns that
 * multiples of the golden section give them, spread out and never more than
 * three calls off the exact share.
 */
function nextInTurn(endpoints: readonly Endpoint[], load: Load): Endpoint | null {
  const turn = load.cursor++;
  if (isEven(endpoints)) return endpoints[turn % endpoints.length] ?? null;
  const position = weightOf(endpoints) * ((turn * GOLDEN_SECTION) % 1);
  return endpoints[indexAt(endpoints, position, -1)] ?? null;
}

/**
 * The best of `choices` draws by calls in flight for the weight. A tie goes
 * to the earlier draw, so that idle endpoints share exactly by weight. No
 * draw repeats the best so far, so that of two endpoints both are compared.
 *
 * For unequal weights Envoy keeps a schedule by `weight / (active + 1)`
 * instead: the same shares when idle, but state that every call must update.
 */
function leastLoaded(
  endpoints: readonly Endpoint[],
  choices: number,
  load: Load,
  random: Random,
): Endpoint | null {
  const total = weightOf(endpoints);
  let bestAt = indexAt(endpoints, total * random(), -1);
  let best = endpoints[bestAt] ?? null;
  for (let choice = 1; choice < choices && best !== null; choice++) {
    const otherAt = indexAt(endpoints, (total - best.weight) * random(), bestAt);
    const other = endpoints[otherAt];
    if (other === undefined || loadOf(other, load) >= loadOf(best, load)) continue;
    best = other;
    bestAt = otherAt;
  }
  return best;
}

/** Where `position`, of the sum of weights, falls; the endpoint at `excluded` takes up no room. */
function indexAt(endpoints: readonly Endpoint[], position: number, excluded: number): number {
  let left = position;
  let last = -1;
  for (let index = 0; index < endpoints.length; index++) {
    if (index === excluded) continue;
    last = index;
    left -= endpoints[index]?.weight ?? 0;
    if (left < 0) break;
  }
  return last;
}

function loadOf(endpoint: Endpoint, load: Load): number {
  return (load.inFlight.get(endpoint.id) ?? 0) / endpoint.weight;
}

function isEven(endpoints: readonly Endpoint[]): boolean {
  const weight = endpoints[0]?.weight;
  return endpoints.every((endpoint) => endpoint.weight === weight);
}

function weightOf(endpoints: readonly Endpoint[]): number {
  let sum = 0;
  for (const endpoint of endpoints) sum += endpoint.weight;
  return sum;
}

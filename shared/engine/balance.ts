/**
 * Load balancing: which endpoint gets a call.
 *
 * @module
 */
import type { Endpoint } from "./endpoint.ts";
import type { HashKey } from "./hash.ts";
import * as hashTable from "./hash-table.ts";
import type { HashTable } from "./hash-table.ts";
import { buildMaglev } from "./maglev.ts";
import { createReturns } from "./locality.ts";
import type { Returns } from "./locality.ts";
import * as peakEwma from "./peak-ewma.ts";
import type { PeakEwma, Rtt, Sample } from "./peak-ewma.ts";
import * as penalty from "./penalty.ts";
import type { Penalty } from "./penalty.ts";
import { buildRing, type RingSize } from "./ring.ts";
import * as sketch from "./sketch.ts";
import type { Sketch } from "./sketch.ts";
import { warm, type SlowStart } from "./slow-start.ts";
import type { Millis, Random } from "./time.ts";

/** By what a call is hashed, and how far a hot key may load its endpoint. */
export interface Hashing {
  /** What a request is hashed by: the first of them that it has. Without any it goes to a random endpoint. */
  readonly key: readonly HashKey[];
  /** The most calls in flight of an endpoint as a multiple of the average, above 1. Absent: no limit. */
  readonly boundFactor?: number;
  /** A cookie that is made for a request without any of `key`, one of which reads it (Istio's `ttl`). */
  readonly cookie?: HashCookie;
}

export interface HashCookie {
  readonly name: string;
  readonly path: string;
  /** 0 is a cookie of the browser's session. */
  readonly ttlMs: Millis;
}

/** Slow start for those balancers that know it: consistent hashing does not, for it would move keys twice (as in Envoy). */
export interface Warming {
  readonly slowStart?: SlowStart;
}

export type LoadBalancing =
  /** Each endpoint in turn, in proportion to weights. */
  | ({ readonly kind: "round-robin" } & Warming)
  /** Any endpoint, in proportion to weights. */
  | ({ readonly kind: "random" } & Warming)
  /**
   * The least loaded, for its weight, of `choices` endpoints drawn at random (power of two choices).
   * What an endpoint refused a moment ago counts as load, too.
   */
  | ({ readonly kind: "least-request"; readonly choices: number } & Warming)
  /** The one of two endpoints drawn at random where a call lately took less, times the calls that wait there. */
  | ({ readonly kind: "peak-ewma" } & PeakEwma & Warming)
  /** By a key, on a ring. */
  | ({ readonly kind: "ring" } & RingSize & Hashing)
  /** By a key, in Maglev's table; `tableSize` is a prime. */
  | ({ readonly kind: "maglev"; readonly tableSize: number } & Hashing);

/** What one host knows about its own calls to one service. Owned and kept by the host, changed by `pick`, `begin`, `end`, `record` and `refused`. */
export interface Load {
  /** Counts the picks of round robin. */
  cursor: number;
  /** Calls in flight by endpoint id; idle endpoints are absent. */
  readonly inFlight: Map<string, number>;
  /** What endpoints lately refused, by endpoint id; for least request. */
  readonly penalties: Map<string, Penalty>;
  /** What calls lately took, by endpoint id; kept for peak EWMA only. */
  readonly rtts: Map<string, Rtt>;
  /** What calls to the service lately took. */
  readonly latencies: Sketch;
  /** How far calls have come back to endpoints that recovered; kept where places or other services count. */
  readonly returns: Returns;
  /** Tables of consistent hashing by what they were made of, the oldest first, at most `MAX_TABLES`. */
  readonly tables: Map<string, HashTable>;
  /** The same by the list of endpoints itself: telling whether two lists are equal takes longer than a pick. */
  readonly tablesByList: WeakMap<readonly Endpoint[], ListTable>;
}

interface ListTable {
  readonly policy: LoadBalancing;
  readonly table: HashTable;
}

/** What a pick depends on besides endpoints and load. */
export interface Choice {
  readonly random: Random;
  readonly now: Millis;
  /** `hash32` of the request's key for consistent hashing; `null` when it has none. */
  readonly hash: number | null;
  /**
   * All endpoints of the service or subset, of which those to pick from are
   * left over. Consistent hashing makes its table of them, so that one which
   * fails for a while moves no other's keys. Absent: the list to pick from.
   */
  readonly all?: readonly Endpoint[];
}

/** Tables of a service that a host keeps: for its subsets, and for endpoints that come and go. */
const MAX_TABLES = 8;

/**
 * Makes the load of a host that has not called yet. The cursor starts
 * anywhere: many short-lived isolates that all began with the first endpoint
 * would make it the busiest.
 */
export function createLoad(random: Random): Load {
  return {
    cursor: Math.floor(random() * 2 ** 20),
    inFlight: new Map(),
    penalties: new Map(),
    rtts: new Map(),
    latencies: sketch.createSketch(),
    returns: createReturns(),
    tables: new Map(),
    tablesByList: new WeakMap(),
  };
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

/** Folds how one try went into what `pick` goes by and hedging waits for. */
export function record(load: Load, policy: LoadBalancing, sample: Sample, now: Millis): void {
  if (sample.outcome.kind === "response") sketch.add(load.latencies, sample.latencyMs);
  if (policy.kind !== "peak-ewma") return;
  load.rtts.set(sample.id, peakEwma.update(load.rtts.get(sample.id), policy, sample, now));
}

/**
 * Notes that an endpoint refused a call, or did not answer: it gets fewer
 * calls for a moment, or for what it asked for by `Retry-After`.
 */
export function refused(load: Load, id: string, retryAfterMs: Millis | null, now: Millis): void {
  const others = averageInFlight(load, id);
  load.penalties.set(id, penalty.penalize(load.penalties.get(id), others, retryAfterMs, now));
}

/** Of the endpoints that are at work, but for one. */
function averageInFlight({ inFlight }: Load, but: string): number {
  let calls = 0;
  let endpoints = 0;
  for (const [id, count] of inFlight) {
    if (id === but) continue;
    calls += count;
    endpoints += 1;
  }
  return endpoints === 0 ? 0 : calls / endpoints;
}

/** Forgets what is known of endpoints that are no longer there. */
export function retain(load: Load, endpoints: readonly Endpoint[]): void {
  const ids = new Set(endpoints.map(({ id }) => id));
  for (const id of load.rtts.keys()) if (!ids.has(id)) load.rtts.delete(id);
  for (const id of load.penalties.keys()) if (!ids.has(id)) load.penalties.delete(id);
}

/** Picks the endpoint that gets the next call, in proportion to weights; null when there is none to pick from. */
export function pick(
  endpoints: readonly Endpoint[],
  policy: LoadBalancing,
  load: Load,
  choice: Choice,
): Endpoint | null {
  if (endpoints.length < 2) return endpoints[0] ?? null;
  if (policy.kind === "ring" || policy.kind === "maglev") return hashed(endpoints, policy, load, choice);
  const { slowStart } = policy;
  if (slowStart === undefined) return weighted(endpoints, policy, load, choice);
  const warmed = warm(endpoints, slowStart, choice.now);
  const picked = weighted(warmed, policy, load, choice);
  return picked === null ? null : (endpoints[warmed.indexOf(picked)] ?? null);
}

type Hashed = Extract<LoadBalancing, Hashing>;

type Weighted = Exclude<LoadBalancing, Hashing>;

function weighted(
  endpoints: readonly Endpoint[],
  policy: Weighted,
  load: Load,
  choice: Choice,
): Endpoint | null {
  const { random, now } = choice;
  switch (policy.kind) {
    case "round-robin":
      return nextInTurn(endpoints, load);
    case "random":
      return endpoints[indexAt(endpoints, weightOf(endpoints) * random(), -1)] ?? null;
    case "least-request":
      return leastLoaded(endpoints, policy.choices, load, choice);
    case "peak-ewma":
      return fastest(endpoints, random, costBy(endpoints, policy, load, now));
  }
}

/** A key's endpoint: consistent hashing knows weights from its table. */
function hashed(endpoints: readonly Endpoint[], policy: Hashed, load: Load, choice: Choice): Endpoint | null {
  const table = tableOf(choice.all ?? endpoints, policy, load);
  return hashTable.find(table, endpoints, {
    hash: choice.hash ?? Math.floor(choice.random() * 2 ** 32),
    inFlight: load.inFlight,
    boundFactor: policy.boundFactor ?? null,
  });
}

/** The table for some endpoints, built at first use and kept while ids and weights stay. */
function tableOf(endpoints: readonly Endpoint[], policy: Hashed, load: Load): HashTable {
  const known = load.tablesByList.get(endpoints);
  if (known?.policy === policy) return known.table;
  const key = tableKey(endpoints, policy);
  const table = load.tables.get(key) ?? buildTable(endpoints, policy);
  for (const oldest of load.tables.keys()) {
    if (load.tables.size < MAX_TABLES) break;
    load.tables.delete(oldest);
  }
  load.tables.set(key, table);
  load.tablesByList.set(endpoints, { policy, table });
  return table;
}

function buildTable(endpoints: readonly Endpoint[], policy: Hashed): HashTable {
  return policy.kind === "ring" ? buildRing(endpoints, policy) : buildMaglev(endpoints, policy.tableSize);
}

function tableKey(endpoints: readonly Endpoint[], policy: Hashed): string {
  const size =
    policy.kind === "ring" ? `ring ${policy.minSize} ${policy.maxSize}` : `maglev ${policy.tableSize}`;
  return endpoints.reduce((key, { id, weight }) => `${key}\n${id} ${weight}`, size);
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
  { random, now }: Choice,
): Endpoint | null {
  const total = weightOf(endpoints);
  let bestAt = indexAt(endpoints, total * random(), -1);
  let best = endpoints[bestAt] ?? null;
  for (let choice = 1; choice < choices && best !== null; choice++) {
    const otherAt = indexAt(endpoints, (total - best.weight) * random(), bestAt);
    const other = endpoints[otherAt];
    if (other === undefined || loadOf(other, load, now) >= loadOf(best, load, now)) continue;
    best = other;
    bestAt = otherAt;
  }
  return best;
}

/**
 * The one of two draws where a call costs less. Equal weights: two different
 * endpoints. Unequal ones: each draw by weight, the same endpoint perhaps
 * twice, so that endpoints alike in latency share by weight; were cost divided
 * by weight instead, a heavy one would win whenever both are idle.
 */
function fastest(
  endpoints: readonly Endpoint[],
  random: Random,
  costOf: (endpoint: Endpoint) => number,
): Endpoint | null {
  const total = weightOf(endpoints);
  const firstAt = indexAt(endpoints, total * random(), -1);
  const first = endpoints[firstAt];
  if (first === undefined) return null;
  const second = isEven(endpoints)
    ? endpoints[indexAt(endpoints, (total - first.weight) * random(), firstAt)]
    : endpoints[indexAt(endpoints, total * random(), -1)];
  return second !== undefined && costOf(second) < costOf(first) ? second : first;
}

/** What a call would take at an endpoint: its latency for this call and each that waits there, by weight. */
function costBy(
  endpoints: readonly Endpoint[],
  policy: PeakEwma,
  load: Load,
  now: Millis,
): (endpoint: Endpoint) => number {
  const average = weightOf(endpoints) / endpoints.length;
  return ({ id, weight }) => {
    const waiting = (load.inFlight.get(id) ?? 0) * (average / weight);
    return peakEwma.estimate(load.rtts.get(id), policy, now) * (1 + waiting);
  };
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

/** Calls in flight, and those that count as if they were, for the weight. */
function loadOf({ id, weight }: Endpoint, { inFlight, penalties }: Load, now: Millis): number {
  const calls = inFlight.get(id) ?? 0;
  const known = penalties.size === 0 ? undefined : penalties.get(id);
  if (known === undefined) return calls / weight;
  if (penalty.isOver(known, now)) penalties.delete(id);
  return (calls + penalty.weightOf(known, now)) / weight;
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

/**
 * Rate limits by leases: an object grants calls ahead, so that most calls are
 * decided where they arrive.
 *
 * A limit of `requests` per `perMs` has one *slot* every `perMs / requests`
 * since the epoch, and each admitted call uses up one slot of its own, at most
 * `burst` slots ahead of time and never one that is past. That is GCRA: within
 * any `perMs`, at most `requests + burst` calls. A lease is a set of slots. It
 * needs no promise about when they are used, since each says so itself, and
 * what is not used in time is gone.
 *
 * @module
 */
import type { Rate } from "./limit.ts";
import type { Millis, Random } from "./time.ts";

/** Slots by their numbers: from the first to before the second. */
export type Range = readonly [from: number, to: number];

/** The slots of one bucket, as the object keeps them. Plain JSON. */
export interface Pool {
  /** Slots from here on are yet to come. */
  readonly horizon: number;
  /** Those before that which nobody has: apart from one another, in order. */
  readonly free: readonly Range[];
  /** Leases, oldest first: of what can be given back. */
  readonly leased: readonly Held[];
}

/** What the object remembers of a lease. */
export interface Held {
  readonly id: string;
  readonly slots: readonly Range[];
}

/** What an isolate asks for. */
export interface Ask {
  /** Calls; 0 only gives back. */
  readonly calls: number;
  /** In how long they will probably come. 0: all at once. */
  readonly withinMs: Millis;
  /** Slots of an earlier lease that will not be used. What was not leased under its id stays what it is. */
  readonly returned?: Held;
}

/** What the object grants. Fewer slots than were asked for: the limit is used up. */
export interface Grant {
  readonly id: string;
  readonly slots: readonly Range[];
  /** The object's clock at that. */
  readonly at: Millis;
}

/** Ranges kept of one pool. Leases leave few gaps; the oldest of more are given up. */
const MAX_RANGES = 32;
/** Leases remembered of one pool; of older ones nothing can be given back. */
const MAX_LEASES = 128;

/**
 * Grants slots, as many as are asked for or are there, under an `id` that
 * nobody else knows. They are chosen so that calls which come evenly find
 * each of them in time, and the earliest of those, because slots that nobody
 * takes pass.
 *
 * A clock that steps back waits for its time to come again, at most as long
 * as a burst takes; after a larger step the bucket counts as empty.
 */
export function grant(
  pool: Pool | undefined,
  rate: Rate,
  ask: Ask,
  { now, id }: { readonly now: Millis; readonly id: string },
): { readonly pool: Pool; readonly grant: Grant } {
  const first = slotAt(now, rate) + 1;
  const end = first + rate.burst;
  const { horizon, free, leased } = takeBack(advance(pool, first, end), ask.returned);
  // The last call comes after `withinMs`; slots pass at the limit's rate, calls use them at their own.
  const passing = Math.ceil((ask.withinMs * rate.requests) / rate.perMs) - ask.calls;
  const start = Math.max(first, Math.min(first + passing, end - ask.calls));

  const later = takeEarliest(free, [start, end], ask.calls);
  const sooner = takeLatest(later.left, [first, start], ask.calls - later.count);
  const slots = [...sooner.taken, ...later.taken];
  const all = slots.length === 0 ? leased : [...leased, { id, slots }];
  return {
    pool: { horizon, free: sooner.left.slice(-MAX_RANGES), leased: all.slice(-MAX_LEASES) },
    grant: { id, slots, at: now },
  };
}

/** When the whole burst is free again if nothing is taken meanwhile: what to keep the pool until. */
export function fullAt({ horizon }: Pool, rate: Rate): Millis {
  return (horizon * rate.perMs) / rate.requests;
}

/** A lease as an isolate holds it. Its own clock need not agree with the object's. */
export interface Lease {
  readonly id: string;
  readonly slots: readonly Range[];
  /** The object's clock less the isolate's: at least, because the answer took time, and at most, because the question did. */
  readonly leastLeadMs: Millis;
  readonly mostLeadMs: Millis;
}

/** A lease of a grant that was asked for and came at these instants of the isolate's clock. */
export function hold({ id, slots, at }: Grant, askedAt: Millis, cameAt: Millis): Lease {
  return { id, slots, leastLeadMs: at - cameAt, mostLeadMs: at - Math.min(askedAt, cameAt) };
}

/** What became of a lease by one call. */
export interface Spending {
  readonly isAdmitted: boolean;
  /** To be kept whether or not the call was admitted. */
  readonly lease: Lease;
  /** Calls that would still be admitted now. */
  readonly remaining: number;
}

/** Spends the earliest slot that is not past. A cost of 0 only looks. */
export function spend(lease: Lease, rate: Rate, cost: 0 | 1, now: Millis): Spending {
  const passed = slotAt(now + lease.mostLeadMs, rate);
  const end = slotAt(now + lease.leastLeadMs, rate) + rate.burst + 1;
  const slots = within(lease.slots, [passed + 1, Number.POSITIVE_INFINITY]);
  const usable = count(within(slots, [passed + 1, end]));
  const [head, ...rest] = slots;
  if (usable === 0 || head === undefined)
    return { isAdmitted: false, lease: { ...lease, slots }, remaining: usable };
  const left = head[0] + cost < head[1] ? [[head[0] + cost, head[1]] as const, ...rest] : rest;
  return { isAdmitted: true, lease: { ...lease, slots: left }, remaining: usable - cost };
}

/** How many slots there are. */
export function count(ranges: readonly Range[]): number {
  return ranges.reduce((sum, [from, to]) => sum + to - from, 0);
}

/** Of how long a time's calls an isolate asks for at once: 80 % of the time that a slot lives. */
const LEASED_SHARE = 0.8;
/** Enough for a hundredth of the calls to ask, if not so long that an isolate may be gone. */
const LEASED_CALLS = 100;
const MIN_LEASED_MS: Millis = 1_000;
const MAX_LEASED_MS: Millis = 10_000;

/** For how long an isolate asks ahead. It asks once in that time where calls are turned away. */
export function leasedMs({ requests, perMs, burst }: Rate): Millis {
  const every = perMs / requests;
  const wanted = Math.min(MAX_LEASED_MS, Math.max(MIN_LEASED_MS, LEASED_CALLS * every));
  return Math.min(wanted, LEASED_SHARE * burst * every);
}

/** How many calls came lately: over the span that is being counted, and the one before it. */
export interface Tally {
  readonly calls: number;
  readonly since: Millis;
  readonly before: { readonly calls: number; readonly inMs: Millis };
}

/** Nothing counted yet. */
export function startTally(now: Millis): Tally {
  return { calls: 0, since: now, before: { calls: 0, inMs: 0 } };
}

/** Counts one call. `span` is the span that it has ended, if it has: time to look whether too much is leased. */
export function tally(
  { calls, since, before }: Tally,
  rate: Rate,
  now: Millis,
): { readonly tally: Tally; readonly span: Tally["before"] | null } {
  const inMs = now - since;
  if (inMs >= 0 && inMs < MEASURED_SHARE * leasedMs(rate))
    return { tally: { calls: calls + 1, since, before }, span: null };
  const span = { calls, inMs: Math.max(0, inMs) };
  return { tally: { calls: 1, since: now, before: span }, span };
}

/** Calls are counted for at least this share of `leasedMs`: a few that come together are no trend. */
const MEASURED_SHARE = 0.25;

/** From here on a slot lost is little, and a call to the object spared is worth more. */
const LARGE_BURST = 500;

/** Sizes what to ask for by the calls that came lately, `waiting` of which wait now. */
export function size(rate: Rate, { calls, since, before }: Tally, waiting: number, now: Millis): Ask {
  const forMs = leasedMs(rate);
  const inMs = Math.max(before.inMs + now - since, MEASURED_SHARE * forMs);
  const perMs = (before.calls + calls) / inMs;
  const inTime = (perMs * rate.burst * rate.perMs) / rate.requests;
  // Calls come unevenly: so many will come in all likelihood while the slots live. What is not used is lost to all.
  const caution = rate.burst < LARGE_BURST ? 3 : 1;
  const likely = Math.floor(Math.min(perMs * forMs, inTime - caution * Math.sqrt(inTime)));
  const wanted = Math.min(rate.burst, Math.max(1, waiting, likely));
  return { calls: wanted, withinMs: likely > waiting ? (wanted - 1) / perMs : 0 };
}

/**
 * The least share of `leasedMs` between two askings of an isolate that did not
 * get all it asked for: where limits are small, nobody minds a call more.
 */
const MIN_PATIENCE = 0.3;
const LARGE_MIN_PATIENCE = 0.65;

/**
 * How long an isolate turns calls away before it asks again, once it has used
 * up less than it asked for: as long as the calls would have taken that what
 * it got was for, ± 20 % so that isolates do not fall into step.
 */
export function patienceMs(rate: Rate, granted: number, asked: number, random: Random): Millis {
  const least = rate.burst < LARGE_BURST ? MIN_PATIENCE : LARGE_MIN_PATIENCE;
  const share = Math.max(least, granted / asked);
  return leasedMs(rate) * share * (0.8 + 0.4 * random());
}

/** Of all calls in `leasedMs`: less is not worth a call. */
const RETURNED_SHARE = 0.015;

/**
 * Parts with slots that will hardly be used, by the calls that came lately:
 * where traffic has moved on, others have a use for them. `null` when they
 * are too few to be worth a call.
 */
export function surplus(
  lease: Lease,
  rate: Rate,
  { calls, inMs }: Tally["before"],
  now: Millis,
): { readonly lease: Lease; readonly returned: Held } | null {
  const { id, slots } = lease;
  const end = slots.at(-1)?.[1] ?? 0;
  const passed = slotAt(now + lease.mostLeadMs, rate);
  const lifeMs = ((end - passed) * rate.perMs) / rate.requests;
  const expected = inMs === 0 ? 0 : (calls * lifeMs) / inMs;
  const needed = Math.ceil(expected + 3 * Math.sqrt(expected)) + 1;
  const live = within(slots, [passed + 1, end]);
  // The latest are kept: they live longest.
  const kept = takeLatest(live, [0, end], needed);
  const worth = Math.max(2, (RETURNED_SHARE * leasedMs(rate) * rate.requests) / rate.perMs);
  if (count(kept.left) < worth) return null;
  return { lease: { ...lease, slots: kept.taken }, returned: { id, slots: kept.left } };
}

function slotAt(at: Millis, rate: Rate): number {
  return Math.floor((at * rate.requests) / rate.perMs);
}

function advance(pool: Pool | undefined, first: number, end: number): Pool {
  if (pool === undefined) return { horizon: end, free: [[first, end]], leased: [] };
  if (pool.horizon - end > end - first) return { horizon: end, free: [], leased: [] };
  const free = within(pool.free, [first, end]);
  const leased = pool.leased.filter(({ slots }) => (slots.at(-1)?.[1] ?? 0) > first);
  if (pool.horizon >= end) return { horizon: pool.horizon, free, leased };
  return { horizon: end, free: joined(free, [Math.max(pool.horizon, first), end]), leased };
}

/** Makes what is given back free again: only what was leased, and only once. */
function takeBack(pool: Pool, returned: Held | undefined): Pool {
  const known = pool.leased.find(({ id }) => id === returned?.id);
  if (returned === undefined || known === undefined) return pool;
  const back = returned.slots.flatMap((range) => within(known.slots, range));
  const rest = { id: known.id, slots: without(known.slots, back) };
  const others = pool.leased.filter((each) => each !== known);
  const free = [...without(pool.free, back), ...back].toSorted(([a], [b]) => a - b);
  return {
    horizon: pool.horizon,
    free: free.reduce<readonly Range[]>(joined, []),
    leased: rest.slots.length === 0 ? others : [...others, rest],
  };
}

function joined(ranges: readonly Range[], next: Range): readonly Range[] {
  const last = ranges.at(-1);
  return last !== undefined && last[1] === next[0]
    ? [...ranges.slice(0, -1), [last[0], next[1]]]
    : [...ranges, next];
}

function within(ranges: readonly Range[], [from, to]: Range): readonly Range[] {
  return ranges
    .map(([start, end]): Range => [Math.max(start, from), Math.min(end, to)])
    .filter(([start, end]) => start < end);
}

interface Taking {
  readonly taken: readonly Range[];
  readonly left: readonly Range[];
  readonly count: number;
}

function takeEarliest(ranges: readonly Range[], bounds: Range, wanted: number): Taking {
  const taken: Range[] = [];
  let missing = wanted;
  for (const [from, to] of within(ranges, bounds)) {
    if (missing <= 0) break;
    taken.push([from, Math.min(to, from + missing)]);
    missing -= Math.min(to - from, missing);
  }
  return { taken, left: without(ranges, taken), count: wanted - missing };
}

function takeLatest(ranges: readonly Range[], bounds: Range, wanted: number): Taking {
  const taken: Range[] = [];
  let missing = wanted;
  for (const [from, to] of within(ranges, bounds).toReversed()) {
    if (missing <= 0) break;
    taken.unshift([Math.max(from, to - missing), to]);
    missing -= Math.min(to - from, missing);
  }
  return { taken, left: without(ranges, taken), count: wanted - missing };
}

function without(ranges: readonly Range[], taken: readonly Range[]): readonly Range[] {
  return taken.reduce<readonly Range[]>(
    (left, [from, to]) =>
      left.flatMap(([start, end]) => [
        ...within([[start, end]], [start, from]),
        ...within([[start, end]], [to, end]),
      ]),
    ranges,
  );
}

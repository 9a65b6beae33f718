/**
 * Bulkheads: how many calls a host lets out to a service at once, so that a
 * slow service does not take the caller's host with it. Envoy's circuit
 * breaker thresholds.
 *
 * @module
 */
import type { Priority } from "./priority.ts";
import { expire, type Slot } from "./slot.ts";
import type { Millis } from "./time.ts";

/** Thresholds of one host for one service. `null` is no limit (Istio's default; Envoy's are 1024, 1024 and 3). */
export interface Thresholds {
  /** Calls in flight. Above it, calls wait. */
  readonly maxRequests: number | null;
  /** Calls that wait. Above it, calls are refused; 0 refuses all that would have to wait. */
  readonly maxPending: number | null;
  /** Retries in flight, on top of the retry budget. */
  readonly maxRetries: number | null;
}

/** Calls of each priority have thresholds and counts of their own, as in Envoy; `low` shares those of `default`. */
export type ConcurrencyPolicy = Readonly<Record<Exclude<Priority, "low">, Thresholds>>;

/** The place of a call that waits. */
export interface Ticket {
  /** When its call last looked whether its turn has come. */
  seenAt: Millis;
}

/** Calls of one priority. Owned and kept by the host, changed by the functions below. */
export interface Lane {
  readonly inFlight: Set<Slot>;
  readonly retries: Set<Slot>;
  /** In order of arrival. */
  readonly waiting: Ticket[];
}

/** What one host knows of its calls to one service, or to one subset. */
export type Bulkhead = Readonly<Record<keyof ConcurrencyPolicy, Lane>>;

/** A look of a call at its lane. */
export interface Look {
  readonly now: Millis;
  /** `heldUntil` of the call. */
  readonly until: Millis;
}

/** What a call finds when it comes. */
export type Arrival =
  | { readonly kind: "enter"; readonly slot: Slot }
  | { readonly kind: "wait"; readonly ticket: Ticket }
  /** Too many wait already. */
  | { readonly kind: "refuse" };

/** What a call that waits finds. */
export type Turn =
  | { readonly kind: "enter"; readonly slot: Slot }
  /** Look again after so long. */
  | { readonly kind: "wait"; readonly forMs: Millis };

/** Whoever has not looked for so long is no longer there: four times the longest wait between two looks. */
const LOST_AFTER_MS: Millis = 1_000;

/** Between two looks of the first who waits; each place further back adds half a millisecond. */
const LOOK_EVERY_MS: Millis = 2;
const MAX_LOOK_EVERY_MS: Millis = 250;

/** A bulkhead with nobody in it. */
export function createBulkhead(): Bulkhead {
  return { default: createLane(), high: createLane() };
}

function createLane(): Lane {
  return { inFlight: new Set(), retries: new Set(), waiting: [] };
}

/** The lane, or the thresholds, of a priority. */
export function of<T>(lanes: Readonly<Record<keyof ConcurrencyPolicy, T>>, priority: Priority): T {
  return priority === "high" ? lanes.high : lanes.default;
}

/** Takes a call in, has it wait behind those that came before, or refuses it. */
export function arrive(lane: Lane, { maxRequests, maxPending }: Thresholds, { now, until }: Look): Arrival {
  const { waiting } = lane;
  dropLost(waiting, now);
  if (isFree(lane, maxRequests, { place: waiting.length, now }))
    return { kind: "enter", slot: take(lane.inFlight, until) };
  if (maxPending !== null && waiting.length >= maxPending) return { kind: "refuse" };
  const ticket = { seenAt: now };
  waiting.push(ticket);
  return { kind: "wait", ticket };
}

/**
 * Decides whether the turn of a waiting call has come. As many of the first
 * may enter as there are slots, in whichever order they look: to wake the
 * very first takes a timer, and the next should not stand behind that.
 */
export function look(lane: Lane, { maxRequests }: Thresholds, ticket: Ticket, { now, until }: Look): Turn {
  const { waiting } = lane;
  ticket.seenAt = now;
  dropLost(waiting, now);
  let place = waiting.indexOf(ticket);
  if (place === -1) {
    // It was taken for lost while its host stood still, and has waited longer than all others.
    waiting.unshift(ticket);
    place = 0;
  }
  if (!isFree(lane, maxRequests, { place, now }))
    return { kind: "wait", forMs: Math.min(MAX_LOOK_EVERY_MS, LOOK_EVERY_MS + place / 2) };
  waiting.splice(place, 1);
  return { kind: "enter", slot: take(lane.inFlight, until) };
}

/** A call no longer waits, whether or not its turn has come. */
export function giveUp({ waiting }: Lane, ticket: Ticket): void {
  const place = waiting.indexOf(ticket);
  if (place !== -1) waiting.splice(place, 1);
}

/** A call is no longer in flight. Said twice, or late, it changes nothing. */
export function leave({ inFlight }: Lane, slot: Slot): void {
  inFlight.delete(slot);
}

/** Counts a retry, or a hedge, that is to start; `null` when there are as many as may be. */
export function startRetry({ retries }: Lane, { maxRetries }: Thresholds, { now, until }: Look): Slot | null {
  if (!hasRoom(retries, maxRetries, now)) return null;
  return take(retries, until);
}

/** A retry is over. */
export function endRetry({ retries }: Lane, slot: Slot): void {
  retries.delete(slot);
}

function isFree(
  { inFlight }: Lane,
  max: number | null,
  { place, now }: { readonly place: number; readonly now: Millis },
): boolean {
  return max === null || hasRoom(inFlight, max - place, now);
}

function hasRoom(slots: Set<Slot>, max: number | null, now: Millis): boolean {
  if (max === null || slots.size < max) return true;
  expire(slots, now);
  return slots.size < max;
}

function take(slots: Set<Slot>, until: Millis): Slot {
  const slot = { until };
  slots.add(slot);
  return slot;
}

/** Only at the head: tickets behind it are dropped when they get there, for to look at all of them takes long. */
function dropLost(waiting: Ticket[], now: Millis): void {
  while (waiting[0] !== undefined && now - waiting[0].seenAt > LOST_AFTER_MS) waiting.shift();
}

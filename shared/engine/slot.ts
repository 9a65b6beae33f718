/**
 * Slots: what calls hold while they are in flight, where their number is
 * limited.
 *
 * @module
 */
import type { Millis } from "./time.ts";

/** Held by one call, in a set that grows in the order in which slots were taken. */
export interface Slot {
  /**
   * When it is free again even if nobody gave it back: a platform may end a
   * call without a word when its caller has gone.
   */
  readonly until: Millis;
}

/** The longest that a call without a time limit holds a slot: Envoy's idle time-out of streams. */
const MAX_HELD_MS: Millis = 300_000;

/** Until when a call holds a slot that has `leftMs` to go; `null` is no limit. */
export function heldUntil(now: Millis, leftMs: Millis | null): Millis {
  return now + Math.min(leftMs ?? MAX_HELD_MS, MAX_HELD_MS);
}

/**
 * Frees slots that should have been given back by now, the oldest first. One
 * that lasts longer hides those taken after it until it ends: in exchange a
 * full set is looked through in no time.
 */
export function expire(slots: Set<Slot>, now: Millis): void {
  for (const slot of slots) {
    if (slot.until > now) return;
    slots.delete(slot);
  }
}

/**
 * Time-outs and deadlines.
 *
 * @module
 */
import type { Millis } from "./time.ts";

export interface Timeouts {
  /** From the request's arrival to the end of response headers, retries included. Absent: no limit. */
  readonly requestMs?: Millis;
  /** The same for one try. Absent: what is left of `requestMs`. */
  readonly perTryMs?: Millis;
}

/**
 * Tells what is left of the whole request, never below 0; `null` is no limit.
 * A clock that stepped back behind `arrivedAt` leaves the full time, no more.
 */
export function remainingMs(timeouts: Timeouts, arrivedAt: Millis, now: Millis): Millis | null {
  if (timeouts.requestMs === undefined) return null;
  return Math.max(0, timeouts.requestMs - Math.max(0, now - arrivedAt));
}

/**
 * Tells how long the next try may take: its own limit or what is left of the
 * request, whichever is less. 0 means expired, so that no try should start;
 * `null` is no limit.
 */
export function tryTimeoutMs(timeouts: Timeouts, arrivedAt: Millis, now: Millis): Millis | null {
  const left = remainingMs(timeouts, arrivedAt, now);
  if (timeouts.perTryMs === undefined) return left;
  return left === null ? timeouts.perTryMs : Math.min(timeouts.perTryMs, left);
}

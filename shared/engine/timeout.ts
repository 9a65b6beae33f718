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
  /** Until a connection stands. Absent: no limit but the try's. Only hosts that connect themselves can hold it. */
  readonly connectMs?: Millis;
  /** The longest silence of a response that has begun. Absent: no limit. */
  readonly idleMs?: Millis;
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

/**
 * The header in which a host of the mesh tells the next one what is left of a
 * call, in milliseconds. Relative: no two clocks need to agree.
 */
export const DEADLINE_HEADER = "x-selvedge-deadline-ms";

/** Shortens a request's limit to what an earlier hop has left for it; a value that is none changes nothing. Never extends. */
export function withDeadline(timeouts: Timeouts, header: string | null): Timeouts {
  if (header === null || !/^[0-9]{1,9}$/.test(header)) return timeouts;
  return { ...timeouts, requestMs: Math.min(timeouts.requestMs ?? Infinity, Number(header)) };
}

/** What the next hop is told: how long a try of `tryMs` may take, in whole milliseconds; `null` without a limit. */
export function deadlineHeader(tryMs: Millis | null): string | null {
  return tryMs === null ? null : String(Math.floor(tryMs));
}

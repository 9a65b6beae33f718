/**
 * Retry budgets: how many retries a service's calls may have, so that an
 * outage is not made worse by them. Counted over a window of time, as Finagle
 * and Linkerd do, not by calls in flight: when one endpoint is suddenly lost,
 * all calls that wait there fail at once, and each may be tried elsewhere.
 *
 * @module
 */
import type { Millis } from "./time.ts";

export interface RetryBudget {
  /**
   * Retries as a share of first tries within the window, 0..1: a service that
   * always fails sees at most `1 + ratio` times its load. Linkerd's default
   * is 0.2.
   */
  readonly ratio: number;
  /** Retries a second, on average over the window, that are allowed at any rate. Linkerd's default is 10. */
  readonly minPerSecond: number;
  /** Whole seconds up to `MAX_WINDOW_MS`. Linkerd's default, its `ttl`, is 10 s. */
  readonly windowMs: Millis;
}

/** The longest window of which a host keeps count. */
export const MAX_WINDOW_MS = 60_000;

/** Tries of one service by one host in the last minute. Owned and kept by the host, changed by `deposit` and `withdraw`. */
export interface Spending {
  /** By second, at its number modulo the length. */
  readonly firstTries: number[];
  readonly retries: number[];
  /** The number of the newest second that was counted in. */
  second: number;
  /** When the first call was counted; `null` before. */
  since: Millis | null;
}

const SECOND_MS = 1_000;
const SECONDS = MAX_WINDOW_MS / SECOND_MS;

/**
 * What a host may spend at once when it begins, as a share of the full
 * reserve, which it has only after a window: hosts may be many and short-lived.
 */
const INITIAL_SHARE = 0.5;

/** Makes the spending of a host that has not called yet. */
export function createSpending(): Spending {
  return {
    firstTries: Array.from({ length: SECONDS }, () => 0),
    retries: Array.from({ length: SECONDS }, () => 0),
    second: 0,
    since: null,
  };
}

/** Counts a call's first try. */
export function deposit(spending: Spending, now: Millis): void {
  spending.since ??= now;
  count(spending.firstTries, advance(spending, now));
}

/** Counts a retry, or a hedge. */
export function withdraw(spending: Spending, now: Millis): void {
  count(spending.retries, advance(spending, now));
}

/** Decides whether one more retry, or hedge, keeps within the budget: the reserve or the share, whichever is more. */
export function isWithin(budget: RetryBudget, spending: Spending, now: Millis): boolean {
  const newest = advance(spending, now);
  const seconds = Math.min(SECONDS, Math.ceil(budget.windowMs / SECOND_MS));
  let firstTries = 0;
  let retries = 0;
  for (let back = 0; back < seconds; back++) {
    const at = (newest - back + SECONDS) % SECONDS;
    firstTries += spending.firstTries[at] ?? 0;
    retries += spending.retries[at] ?? 0;
  }
  return retries + 1 <= Math.max(reserve(budget, now - (spending.since ?? now)), budget.ratio * firstTries);
}

function reserve({ minPerSecond, windowMs }: RetryBudget, ageMs: Millis): number {
  const accruedMs = Math.min(windowMs, Math.max(windowMs * INITIAL_SHARE, ageMs));
  return (minPerSecond * accruedMs) / SECOND_MS;
}

/** The slot of the present second; those in between held nothing. A clock that steps back counts on in the newest. */
function advance(spending: Spending, now: Millis): number {
  const second = Math.floor(now / SECOND_MS);
  const first = Math.max(spending.second + 1, second - SECONDS + 1);
  for (let each = first; each <= second; each++) {
    spending.firstTries[each % SECONDS] = 0;
    spending.retries[each % SECONDS] = 0;
  }
  spending.second = Math.max(spending.second, second);
  return spending.second % SECONDS;
}

function count(counts: number[], slot: number): void {
  counts[slot] = (counts[slot] ?? 0) + 1;
}

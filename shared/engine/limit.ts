/**
 * Rate limits by the generic cell rate algorithm (GCRA): one timestamp per
 * key, no background refill, equal to a token bucket.
 *
 * @module
 */
import type { Millis } from "./time.ts";

export interface Rate {
  /** Calls admitted per `perMs` in the long run. At least 1. */
  readonly requests: number;
  readonly perMs: Millis;
  /** Calls admitted at once after a quiet time. At least 1. */
  readonly burst: number;
}

/** One part of a limit's key. A request that lacks the part shares one bucket with all that lack it. */
export type KeyPart =
  | { readonly kind: "caller" }
  | { readonly kind: "method" }
  | { readonly kind: "path" }
  /** The client's network: an IPv4 address, or the first 64 bits of an IPv6 address. */
  | { readonly kind: "remote-address" }
  /** In lower case. */
  | { readonly kind: "header"; readonly name: string }
  /** The first of its values. */
  | { readonly kind: "query"; readonly name: string }
  /**
   * A claim of the bearer token (RFC 7519), proved or not: whoever forges a
   * token chooses the bucket that the call is charged to, and no more.
   */
  | { readonly kind: "claim"; readonly name: string };

export interface RateLimit {
  /** `namespace/name` of the policy. */
  readonly policy: string;
  /**
   * `local`: one bucket per isolate, no call. `leased`: one bucket for the
   * mesh, an object call now and then (`limit-lease.ts`). `strict`: one bucket
   * for the mesh, one object call per request.
   */
  readonly mode: "local" | "leased" | "strict";
  readonly rate: Rate;
  readonly key: readonly KeyPart[];
  /** What the limit does while whoever counts for it, an object or a binding, cannot be reached. */
  readonly whenUnavailable: "allow" | "deny";
  /** A rate-limit binding of the host, which must admit the call as well. Absent: none. */
  readonly binding?: string;
  /** Decides and counts, but never refuses. Absent: it refuses. */
  readonly isShadow?: boolean;
  /** Callers learn what is left of the limit with every answer. Absent: only with a refusal. */
  readonly isTold?: boolean;
}

/** The answer to one `take`. */
export interface Taking {
  readonly isAdmitted: boolean;
  /** The bucket's new state: to be kept whether or not the call was admitted. */
  readonly tat: Millis;
  /** Calls that would still be admitted at this instant. */
  readonly remaining: number;
  /** 0 when admitted; else the wait, at least 1, until the same take would be. */
  readonly retryAfterMs: Millis;
  /** Until the whole burst is there again, if nothing is taken meanwhile. */
  readonly resetMs: Millis;
}

/**
 * Takes `cost` calls from a bucket, all or none.
 *
 * `tat` is the theoretical arrival time: when the bucket will be full again;
 * `undefined` for a key never seen, whose bucket is full. Calls come back at
 * whole multiples of `perMs / requests` since the epoch. Counting those
 * instants, rather than adding up fractions of a millisecond, keeps the
 * long-run rate exact however often a bucket is used.
 *
 * - Within any `perMs`, at most `requests + burst` calls are admitted.
 * - A `tat` further ahead than an empty bucket's (the clock stepped back, or
 *   the rate was changed) counts as an empty bucket: nothing is given away,
 *   and the wait for the whole burst is at most `burst * perMs / requests`.
 * - A cost of 0 only looks. A cost above `burst` is never admitted, and is
 *   told to wait for a full bucket.
 *
 * Exact up to a million calls a second; beyond, a `number` holds too few digits.
 */
export function take(tat: Millis | undefined, rate: Rate, cost: number, now: Millis): Taking {
  const current = Math.floor((now * rate.requests) / rate.perMs);
  const emptyUntil = current + rate.burst;
  const stored = tat === undefined ? current : Math.round((tat * rate.requests) / rate.perMs);
  const before = Math.min(Math.max(stored, current), emptyUntil);

  const isAdmitted = before + cost <= emptyUntil;
  const after = isAdmitted ? before + cost : before;
  // The instant at which the bucket holds `cost`, or is full where it can never hold that much.
  const enoughAt = Math.min(before + cost - rate.burst, before);
  return {
    isAdmitted,
    tat: instantOf(after, rate),
    remaining: emptyUntil - after,
    retryAfterMs: isAdmitted ? 0 : Math.max(1, waitMs(enoughAt, rate, now)),
    resetMs: waitMs(after, rate, now),
  };
}

function instantOf(emission: number, rate: Rate): Millis {
  return (emission * rate.perMs) / rate.requests;
}

function waitMs(emission: number, rate: Rate, now: Millis): Millis {
  return Math.max(0, Math.ceil(instantOf(emission, rate) - now));
}

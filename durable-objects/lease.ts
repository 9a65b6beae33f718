/**
 * When a lease lapses. Decides only; the health object keeps the leases.
 *
 * @module
 */
import type { Registration } from "../shared/wire/rpc.ts";

/** A registered endpoint and how long it is taken to be alive. */
export interface HeldLease {
  readonly registration: Registration;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Ran out together with most others and was given a second term; a beat clears it. */
  readonly isDoubted: boolean;
  /** Gets no new calls; beats keep that. */
  readonly isDraining: boolean;
  /** When it began, in milliseconds since the epoch; beats keep it. */
  readonly since: number;
}

/** What a sweep does. Leases that are in neither list stay as they are. */
export interface Sweep {
  /** Over: the endpoints go. */
  readonly lapsed: readonly HeldLease[];
  /** Given one more term, as doubted. */
  readonly doubted: readonly HeldLease[];
}

/** With fewer leases "most of them" says nothing: one of two is just one. */
const MIN_LEASES_FOR_DOUBT = 3;

/** Beats in a term: two may get lost. */
const BEATS_PER_TERM = 3;

/** How often the holder of a lease should beat. */
export function heartbeatEveryMs(ttlMs: number): number {
  return Math.floor(ttlMs / BEATS_PER_TERM);
}

/** A new lease. */
export function hold(registration: Registration, now: number): HeldLease {
  return {
    registration,
    expiresAt: now + registration.ttlMs,
    isDoubted: false,
    isDraining: false,
    since: now,
  };
}

/** A lease from a beat on, or with another registration. */
export function renew(held: HeldLease, registration: Registration, now: number): HeldLease {
  return { ...hold(registration, now), isDraining: held.isDraining, since: held.since };
}

/**
 * Decides which leases that have run out lapse.
 *
 * When more than half of at least three leases have fallen silent, it is more
 * likely that beats do not get through than that all have died at once. They
 * are then doubted instead: published as unhealthy, so that hosts prefer the
 * rest and, with too few left, use all of them (the panic threshold). A lease
 * is doubted once: without a beat in its second term it lapses whatever the
 * others do. So no endpoint outlives its last beat by more than two terms and
 * the delay of a sweep, and a service whose instances have all died empties.
 *
 * Silent are leases in the last third of their term too, since the leases of
 * one outage run out one by one, as far apart as their beats were.
 */
export function sweep(leases: readonly HeldLease[], now: number): Sweep {
  const due = leases.filter((lease) => lease.expiresAt <= now);
  const silent = leases.filter((lease) => isSilent(lease, now)).length;
  const isOutage = leases.length >= MIN_LEASES_FOR_DOUBT && silent * 2 > leases.length;
  const isLapsed = (lease: HeldLease): boolean => !isOutage || lease.isDoubted;
  return {
    lapsed: due.filter(isLapsed),
    doubted: due
      .filter((lease) => !isLapsed(lease))
      .map((lease) => ({ ...renew(lease, lease.registration, now), isDoubted: true })),
  };
}

/** Doubted leases have not beaten for a whole term: their second term does not make them heard. */
function isSilent({ registration, expiresAt, isDoubted }: HeldLease, now: number): boolean {
  return isDoubted || expiresAt - now <= heartbeatEveryMs(registration.ttlMs);
}

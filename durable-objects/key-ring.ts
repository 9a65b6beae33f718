/**
 * The life of the authority's signing keys, as data: a key is published while
 * it is next, signs while it is current, and stays published as a previous
 * one until nothing that it signed can still be valid.
 *
 * @module
 */
import type { Millis } from "../shared/engine/time.ts";
import { CLOCK_SKEW_MS, MAX_LIFETIME_MS } from "../shared/identity/token.ts";

/** How long a key signs before the next one takes over: SPIRE's default life of a CA. */
export const ROTATE_EVERY_MS: Millis = 86_400_000;

/**
 * How long a key must have been published before it signs: six times the age
 * at which a host refuses to work on without a newer snapshot (10 s).
 */
export const PUBLISHED_FIRST_MS: Millis = 60_000;

/** How long a key stays published after its last signature: the longest token, checked by the slowest clock. */
export const KEPT_AFTER_MS: Millis = MAX_LIFETIME_MS + CLOCK_SKEW_MS;

export interface RingKey {
  readonly kid: string;
  readonly state: "next" | "current" | "previous";
  /** When the registry had it; `null` while it does not. */
  readonly publishedAt: Millis | null;
  /** When it began to sign; `null` for the next key. */
  readonly signsSince: Millis | null;
  /** When it ceased to sign; `null` until then. */
  readonly retiredAt: Millis | null;
}

export interface Ring {
  readonly keys: readonly RingKey[];
  /** A rotation was asked for and has not happened yet. */
  readonly isWanted: boolean;
}

/**
 * When the next key may and shall take over; `null` while the registry does
 * not have it. A rotation that is asked for waits as well: a key that hosts do
 * not know yet would fail calls, and until they know it nothing is gained.
 */
export function rotationDueAt({ keys, isWanted }: Ring): Millis | null {
  const publishedAt = keys.find(({ state }) => state === "next")?.publishedAt ?? null;
  const signsSince = keys.find(({ state }) => state === "current")?.signsSince ?? null;
  if (publishedAt === null || signsSince === null) return null;
  const earliest = publishedAt + PUBLISHED_FIRST_MS;
  return isWanted ? earliest : Math.max(earliest, signsSince + ROTATE_EVERY_MS);
}

/** When a key may be forgotten; `null` while it is not a previous one. */
export function forgottenAt({ state, retiredAt }: RingKey): Millis | null {
  return state === "previous" && retiredAt !== null ? retiredAt + KEPT_AFTER_MS : null;
}

/**
 * The life of roots and intermediates, as data. A root is in the bundle while
 * it is next, counts for what is issued while it is current, and stays in the
 * bundle as a previous one until nothing below it can still be valid. An
 * intermediate needs no such care: it travels with every leaf that it signed.
 *
 * @module
 */
import type { Millis } from "../shared/engine/time.ts";
import { CLOCK_SKEW_MS } from "../shared/identity/token.ts";
import { REFRESH_HINT_SECONDS } from "../shared/identity/trust-bundle.ts";

/**
 * How long a root must have been in the bundle before anything is signed below
 * it: verifiers fetch it every five minutes, and may miss one round. Those that
 * are slower follow the certificate by which the old root vouches for the new.
 */
export const ROOT_PUBLISHED_FIRST_MS: Millis = 2 * REFRESH_HINT_SECONDS * 1000;

/** At this share of its life an authority's certificate is replaced: a third is left to find out that it was not. */
const RENEW_AT_RATIO = 2 / 3;

export interface RingRoot {
  readonly id: string;
  readonly state: "next" | "current" | "previous";
  readonly source: "own" | "upstream";
  /** When the registry had it; `null` while it does not. */
  readonly publishedAt: Millis | null;
  readonly notBefore: Millis;
  readonly notAfter: Millis;
  /** When it ceased to count for what is issued; `null` until then. */
  readonly retiredAt: Millis | null;
  /** When the last leaf below it expires; `null` while there was none. */
  readonly neededUntil: Millis | null;
}

export interface RingIntermediate {
  readonly id: string;
  readonly rootId: string;
  readonly source: "own" | "upstream";
  readonly notBefore: Millis;
  readonly notAfter: Millis;
}

export interface CertificateRing {
  readonly roots: readonly RingRoot[];
  /** The one that signs. */
  readonly intermediate: RingIntermediate;
}

/** When the next root shall take over; `null` while there is none, or the registry does not have it. */
export function rootTakesOverAt({ roots }: CertificateRing): Millis | null {
  const publishedAt = roots.find(({ state }) => state === "next")?.publishedAt ?? null;
  return publishedAt === null ? null : publishedAt + ROOT_PUBLISHED_FIRST_MS;
}

/** When a next root is to be made; `null` while there is one, and for a root that was loaded. */
export function rootRenewsAt({ roots }: CertificateRing): Millis | null {
  if (roots.some(({ state }) => state === "next")) return null;
  const current = roots.find(({ state }) => state === "current");
  return current === undefined ? null : renewsAt(current);
}

/** When an intermediate is to be replaced; `null` for one that was loaded: only its issuer can make another. */
export function intermediateRenewsAt({ intermediate }: CertificateRing): Millis | null {
  return renewsAt(intermediate);
}

/** When a root leaves the bundle; `null` unless it is a previous one. Verifiers' clocks may be behind. */
export function rootLeavesAt({ state, retiredAt, neededUntil }: RingRoot): Millis | null {
  if (state !== "previous" || retiredAt === null) return null;
  return Math.max(retiredAt, neededUntil ?? 0) + CLOCK_SKEW_MS;
}

function renewsAt(certificate: {
  readonly source: "own" | "upstream";
  readonly notBefore: Millis;
  readonly notAfter: Millis;
}): Millis | null {
  const { source, notBefore, notAfter } = certificate;
  return source === "own" ? Math.floor(notBefore + (notAfter - notBefore) * RENEW_AT_RATIO) : null;
}

/**
 * Keys of other issuers, whose tokens the admin API takes.
 *
 * @module
 */
import { createRemoteJWKSet, errors } from "jose";
import { MeshError } from "../../shared/wire/problem.ts";

/** Asymmetric ones only: whoever can verify must not be able to sign. */
export const ALGORITHMS = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA".split(" ");

/** How far an issuer's clock may stand from ours. */
export const CLOCK_TOLERANCE_SECONDS = 60;

/** For a fetch of keys, which happens at most once in `COOLDOWN_MS` and when they are older than `KEYS_LIVE_MS`. */
const FETCH_LIMIT_MS = 5_000;
const COOLDOWN_MS = 30_000;
const KEYS_LIVE_MS = 600_000;

type Keys = ReturnType<typeof createRemoteJWKSet>;

/** By URL; an issuer's keys outlive requests. */
const keySets = new Map<string, Keys>();

/** The keys at a URL: fetched when they are needed, and never through a redirect. */
export function remoteKeys(url: string): Keys {
  const known = keySets.get(url);
  if (known !== undefined) return known;
  const keys = createRemoteJWKSet(new URL(url), {
    timeoutDuration: FETCH_LIMIT_MS,
    cooldownDuration: COOLDOWN_MS,
    cacheMaxAge: KEYS_LIVE_MS,
  });
  keySets.set(url, keys);
  return keys;
}

/** What follows when a token was not verified: `null` where the token is at fault, else a failure that passes. */
export function refuseOrRetry(error: unknown, issuer: string): null {
  if (error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout)) return null;
  console.error(JSON.stringify({ level: "error", at: "keys", issuer, error: String(error) }));
  throw new MeshError({
    code: "control.unavailable",
    detail: "The keys of the token's issuer cannot be fetched now: try again.",
    retryAfterMs: 1_000,
  });
}

/**
 * Tokens that were verified before: the same workload sends the same token
 * with every call, and looking it up costs a thousandth of an ES256 check.
 *
 * @module
 */
import type { VerificationKey } from "../engine/snapshot.ts";
import {
  expired,
  isExpired,
  isTokenRevoked,
  lacksCertificate,
  refuseRevoked,
  refuseUnbound,
  verify,
} from "./token.ts";
import type { RefusedToken, TokenContext, TokenVerdict, VerifiedToken } from "./token.ts";

/** Verified tokens by `cacheKey`. Two generations make it forget what was not used for long without a list of uses. */
export interface TokenCache {
  /** The keys that the remembered tokens were verified with. */
  keys: readonly VerificationKey[];
  young: Map<string, KnownToken>;
  old: Map<string, KnownToken>;
}

interface KnownToken {
  readonly text: string;
  readonly verdict: VerifiedToken;
}

/** Tokens remembered at most: 2,048 in two generations, about 2 MB of an isolate's 128. */
export const MAX_CACHED_TOKENS = 2048;

export function createTokenCache(): TokenCache {
  return { keys: [], young: new Map(), old: new Map() };
}

/**
 * What a verified token is kept under: the end of its signature, which takes a
 * fifth of the time that hashing the whole text takes. Others can make a text
 * that ends alike: it is compared whole, too.
 */
export function cacheKey(token: string): string {
  return token.slice(-KEY_LENGTH);
}

/** 48 random bytes of a signature. */
const KEY_LENGTH = 64;

/**
 * Verifies a token, or remembers that it was. A remembered token is answered
 * synchronously. Audience, trust domain, expiry, revocation and the
 * certificate that it is bound to are checked anew each time, since they
 * change between calls; a change of the keys forgets everything, so that a
 * token does not outlive the key that proved it. Rejections are not
 * remembered: they would let strangers push out what is in use.
 */
export function cachedVerify(
  cache: TokenCache,
  token: string,
  context: TokenContext,
): TokenVerdict | Promise<TokenVerdict> {
  if (cache.keys !== context.keys) adoptKeys(cache, context.keys);
  const known = recall(cache, token);
  if (known === null || !isFor(known, context)) return verifyAndKeep(cache, token, context);
  if (isExpired(known.expiresAt, context.now)) return forget(cache, token, expired());
  // Whoever shows it without its certificate does not make its owner verify it again.
  if (lacksCertificate(known, context)) return refuseUnbound();
  const { revoked } = context;
  return revoked !== undefined && isTokenRevoked(revoked, known)
    ? forget(cache, token, refuseRevoked())
    : known;
}

/** Whether a token of the trust domain was verified and is remembered: then nobody needs to read it to know whose it is. */
export function isRemembered(cache: TokenCache, token: string, trustDomain: string): boolean {
  return recall(cache, token)?.caller.trustDomain === trustDomain;
}

/** Anything that the token is not for goes the long way, which says what is wrong. */
function isFor(verdict: VerifiedToken, context: TokenContext): boolean {
  return context.audiences.includes(verdict.audience) && verdict.caller.trustDomain === context.trustDomain;
}

function forget(cache: TokenCache, token: string, verdict: RefusedToken): RefusedToken {
  cache.young.delete(cacheKey(token));
  return verdict;
}

async function verifyAndKeep(cache: TokenCache, token: string, context: TokenContext): Promise<TokenVerdict> {
  const verdict = await verify(token, context);
  // The keys may have changed while the signature was checked.
  if (verdict.kind === "ok" && cache.keys === context.keys) keep(cache, { text: token, verdict });
  return verdict;
}

function recall(cache: TokenCache, token: string): VerifiedToken | null {
  const key = cacheKey(token);
  const young = cache.young.get(key);
  const known = young ?? cache.old.get(key);
  if (known === undefined || known.text !== token) return null;
  if (young === undefined) keep(cache, known);
  return known.verdict;
}

function keep(cache: TokenCache, known: KnownToken): void {
  if (cache.young.size >= MAX_CACHED_TOKENS / 2) {
    cache.old = cache.young;
    cache.young = new Map();
  }
  cache.young.set(cacheKey(known.text), known);
}

/** A new snapshot often carries the same keys in a new array. */
function adoptKeys(cache: TokenCache, keys: readonly VerificationKey[]): void {
  if (!isSameKeys(cache.keys, keys)) {
    cache.young = new Map();
    cache.old = new Map();
  }
  cache.keys = keys;
}

function isSameKeys(a: readonly VerificationKey[], b: readonly VerificationKey[]): boolean {
  return (
    a.length === b.length &&
    a.every((key, index) => {
      const other = b[index];
      return other !== undefined && key.kid === other.kid && key.x === other.x && key.y === other.y;
    })
  );
}

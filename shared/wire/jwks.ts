/**
 * Sets of public keys (JWKS, RFC 7517), from issuers that the mesh does not
 * control.
 *
 * @module
 */
import type { PublicJwk } from "../engine/end-user.ts";

export type JwksResult =
  | { readonly ok: true; readonly keys: readonly PublicJwk[] }
  | { readonly ok: false; readonly message: string };

/** Keys of one set: the largest issuers publish fewer than ten. */
export const MAX_KEYS = 100;

/** RSA, elliptic curves and EdDSA. A shared secret (`oct`) is no public key: who can check by it can forge. */
const KINDS = new Set(["RSA", "EC", "OKP"]);

/**
 * Reads a set. Keys that do not sign or that are of a kind unknown here are
 * left out, as RFC 7517 §5 wants it; a set with a private or a shared key is
 * refused whole, since it is a leak. Of each key only what is public is kept.
 */
export function parseJwks(text: string): JwksResult {
  const set = parseJson(text);
  if (!isObject(set) || !Array.isArray(set["keys"])) return refuse('is no key set: write {"keys": […]}');
  const listed = set["keys"];
  if (listed.length > MAX_KEYS) return refuse(`has too many keys: at most ${MAX_KEYS}`);
  const jwks = listed.filter(isObject);
  if (jwks.some((jwk) => "d" in jwk || jwk["kty"] === "oct"))
    return refuse("has a private or a shared key: publish public keys only");
  const keys = jwks.flatMap(publicPart);
  return keys.length === 0 ? refuse("has no public key for signatures (RSA, EC or OKP)") : { ok: true, keys };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // As good as any other text that is no key set.
    return null;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const PUBLIC_FIELDS = ["kid", "alg", "n", "e", "crv", "x", "y"];

function publicPart(jwk: Readonly<Record<string, unknown>>): PublicJwk[] {
  const { kty, use, key_ops: operations } = jwk;
  if (typeof kty !== "string" || !KINDS.has(kty) || (use !== undefined && use !== "sig")) return [];
  if (Array.isArray(operations) && !operations.includes("verify")) return [];
  const fields = PUBLIC_FIELDS.flatMap((name): [string, string][] => {
    const value = jwk[name];
    return typeof value === "string" ? [[name, value]] : [];
  });
  return [{ kty, ...Object.fromEntries(fields) }];
}

function refuse(message: string): JwksResult {
  return { ok: false, message };
}

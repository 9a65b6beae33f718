/**
 * Tokens of end users (JWT, RFC 7519), from issuers that the mesh does not
 * control: read strictly, verified with the issuer's own keys. Larger than
 * the mesh's own tokens need, and loaded only where a policy asks for it.
 *
 * @module
 */
import { base64url, compactVerify, importJWK } from "jose";
import type { CryptoKey } from "jose";
import type { Claims, EndUser, JwtRule, PublicJwk } from "../engine/end-user.ts";
import type { Millis } from "../engine/time.ts";

/** Longer than any issuer's, and a quarter of what a request may have of fields. */
const MAX_TOKEN_LENGTH = 16_384;

/** A token's text, read and not yet believed. */
export interface UserToken {
  readonly text: string;
  readonly alg: string;
  readonly kid: string | null;
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** `Infinity`: it does not expire. */
  readonly expiresAt: Millis;
  readonly validFrom: Millis;
  readonly claims: Claims;
  /** As it was sent: base64url. */
  readonly payload: string;
}

/** What a JWK of each kind may sign with; a curve has one algorithm. No shared secret is among them: see `parseJwks`. */
const ALGORITHMS: Readonly<Record<string, (jwk: PublicJwk) => readonly string[]>> = {
  RSA: () => ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  EC: ({ crv }) =>
    crv === "P-256" ? ["ES256"] : crv === "P-384" ? ["ES384"] : crv === "P-521" ? ["ES512"] : [],
  OKP: ({ crv }) => (crv === "Ed25519" ? ["EdDSA", "Ed25519"] : []),
};

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads a token; `null` when it is none. What its header says of keys (`jku`,
 * `x5u`, `jwk`) is not looked at; one that asks for extensions (`crit`) is
 * refused, since none is known here.
 */
export function readUserToken(text: string): UserToken | null {
  if (text.length > MAX_TOKEN_LENGTH || !/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(text))
    return null;
  const [head = "", payload = ""] = text.split(".");
  const header = readObject(head);
  const claims = readObject(payload);
  if (header === null || claims === null || "crit" in header || "b64" in header) return null;
  const { alg, kid = null } = header;
  const { iss, exp = Number.POSITIVE_INFINITY, nbf = 0 } = claims;
  if (typeof alg !== "string" || !(kid === null || typeof kid === "string")) return null;
  if (typeof iss !== "string" || !isInstant(exp) || !isInstant(nbf)) return null;
  const audiences = audiencesOf(claims["aud"]);
  if (audiences === null) return null;
  return {
    text,
    alg,
    kid,
    issuer: iss,
    audiences,
    expiresAt: exp * 1000,
    validFrom: nbf * 1000,
    claims,
    payload,
  };
}

function readObject(segment: string): Claims | null {
  try {
    const value: unknown = JSON.parse(utf8.decode(base64url.decode(segment)));
    return isObject(value) ? value : null;
  } catch {
    // Not base64url, not UTF-8 or not JSON: no token.
    return null;
  }
}

function isObject(value: unknown): value is Claims {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isInstant(value: unknown): value is number {
  return typeof value === "number" && !Number.isNaN(value);
}

function audiencesOf(aud: unknown): readonly string[] | null {
  if (aud === undefined) return [];
  if (typeof aud === "string") return [aud];
  return Array.isArray(aud) && aud.every((one) => typeof one === "string") ? aud : null;
}

/** The key that signed a token; `null`: none of these did. Never throws. */
export async function signerOf(token: UserToken, keys: readonly PublicJwk[]): Promise<PublicJwk | null> {
  for (const jwk of candidates(token, keys)) {
    if (await isSignedBy(token, jwk)) return jwk;
  }
  return null;
}

/** Whether any key could have signed a token, by its id and algorithm. If not, the issuer may have newer ones. */
export function hasCandidate(token: UserToken, keys: readonly PublicJwk[]): boolean {
  return candidates(token, keys).length > 0;
}

/** The algorithm is the key's to choose, never the token's alone: a key is used only as its kind allows. */
function candidates({ alg, kid }: UserToken, keys: readonly PublicJwk[]): PublicJwk[] {
  return keys.filter((jwk) => {
    const allowed = ALGORITHMS[jwk.kty]?.(jwk) ?? [];
    const isNamed = kid === null || jwk.kid === undefined || jwk.kid === kid;
    return isNamed && allowed.includes(alg) && (jwk.alg === undefined || jwk.alg === alg);
  });
}

async function isSignedBy({ text, alg }: UserToken, jwk: PublicJwk): Promise<boolean> {
  try {
    await compactVerify(text, await keyOf(jwk, alg), { algorithms: [alg] });
    return true;
  } catch {
    // A wrong signature and a key that cannot be used mean the same: not proved.
    return false;
  }
}

/** By the JWK's own identity, and the algorithm, to which an imported key is bound. */
const imported = new WeakMap<PublicJwk, Map<string, CryptoKey>>();

/** Keeps keys, not promises: on Workers a promise belongs to the request that made it. */
async function keyOf(jwk: PublicJwk, alg: string): Promise<CryptoKey> {
  const known = imported.get(jwk)?.get(alg);
  if (known !== undefined) return known;
  const key = await importJWK({ ...jwk }, alg);
  if (key instanceof Uint8Array) throw new Error("a shared secret is no public key");
  const own = imported.get(jwk) ?? new Map<string, CryptoKey>();
  imported.set(jwk, own.set(alg, key));
  return key;
}

/** Claims that are always lists between spaces (OAuth 2.0's `scope`; Istio). */
const SPACED = ["scope", "permission"];

/** What a verified token says, by the rule that it was verified by. */
export function userOf({ issuer, audiences, claims }: UserToken, { spaced }: JwtRule): EndUser {
  const lists = [...SPACED, ...spaced].flatMap((name): [string, readonly string[]][] => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    return typeof value === "string" ? [[name, value.split(" ").filter((part) => part !== "")]] : [];
  });
  const { sub, azp } = claims;
  return {
    issuer,
    subject: typeof sub === "string" ? sub : "",
    audiences,
    presenter: typeof azp === "string" ? azp : null,
    claims: lists.length === 0 ? claims : { ...claims, ...Object.fromEntries(lists) },
  };
}

/**
 * End users: whom a request is made for, as a verified JWT tells it, and the
 * rules by which such tokens are found and verified (Istio's JWTRule).
 *
 * @module
 */
import type { Millis } from "./time.ts";

/** JSON of a token, as it came. */
export type Claims = Readonly<Record<string, unknown>>;

/** What a verified token says. */
export interface EndUser {
  readonly issuer: string;
  /** Empty: the token names nobody. */
  readonly subject: string;
  readonly audiences: readonly string[];
  /** Who was given the token (`azp`); `null` when it does not say. */
  readonly presenter: string | null;
  /** With claims that are lists between spaces (`scope`) as lists. */
  readonly claims: Claims;
}

/** A public key as a JWK (RFC 7517), of any kind that signs. */
export interface PublicJwk {
  readonly kty: string;
  readonly kid?: string;
  readonly alg?: string;
  readonly [field: string]: unknown;
}

/** Where the keys of an issuer come from. */
export type KeySource =
  | { readonly kind: "inline"; readonly keys: readonly PublicJwk[] }
  | { readonly kind: "remote"; readonly uri: string; readonly timeoutMs: Millis };

/** Where a token may stand. */
export type TokenPlace =
  /** `name` in lower case; what follows `prefix` is the token. */
  | { readonly kind: "header"; readonly name: string; readonly prefix: string }
  | { readonly kind: "param"; readonly name: string }
  | { readonly kind: "cookie"; readonly name: string };

/** How tokens of one issuer are treated. */
export interface JwtRule {
  readonly issuer: string;
  /** One of these must be among the token's; empty: any audience will do. */
  readonly audiences: readonly string[];
  readonly keys: KeySource;
  readonly places: readonly TokenPlace[];
  /** Whether the token goes on to the callee in the header that it came in. */
  readonly isForwarded: boolean;
  /** The header that the callee finds the payload in, base64url as it was sent. Absent: in none. */
  readonly payloadHeader?: string;
  /** Headers that the callee finds single claims in. */
  readonly claimHeaders: readonly ClaimHeader[];
  /** Claims besides `scope` and `permission` that are lists between spaces. */
  readonly spaced: readonly string[];
}

/** A header, in lower case, and the way to the claim that it tells. */
export interface ClaimHeader {
  readonly header: string;
  readonly claim: readonly string[];
}

/** Follows a path of names into claims; `undefined` where it ends. Only a token's own fields count. */
export function claimAt(claims: Claims, path: readonly string[]): unknown {
  let value: unknown = claims;
  for (const name of path) {
    if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, name))
      return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}

/** The texts of a claim: itself, or those in its list. What is neither text nor list is not there. */
export function claimTexts(claims: Claims, path: readonly string[]): readonly string[] {
  const claim = claimAt(claims, path);
  if (typeof claim === "string") return [claim];
  return Array.isArray(claim) ? claim.filter((item) => typeof item === "string") : [];
}

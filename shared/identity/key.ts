/**
 * Signing keys of the mesh's authority: ECDSA on P-256, as JWKs.
 *
 * @module
 */
import { calculateJwkThumbprint } from "jose";
import type { CryptoKey, JWK } from "jose";
import type { VerificationKey } from "../engine/snapshot.ts";

/** The private half of a key, as it is stored. Whoever holds it can speak for every workload. */
export interface PrivateJwk {
  readonly kty: "EC";
  readonly crv: "P-256";
  readonly x: string;
  readonly y: string;
  readonly d: string;
}

export interface KeyPair {
  readonly kid: string;
  readonly privateJwk: PrivateJwk;
  readonly publicJwk: VerificationKey;
}

const ES256 = { name: "ECDSA", namedCurve: "P-256" } as const;

/** By the JWK's own identity: a snapshot is replaced whole, and its keys go with it. */
const imported = new WeakMap<VerificationKey | PrivateJwk, CryptoKey>();

/** Generates a key pair. The `kid` is the key's own thumbprint (RFC 7638), so that it names no other key. */
export async function generateSigningKey(): Promise<KeyPair> {
  const pair = await crypto.subtle.generateKey(ES256, true, ["sign", "verify"]);
  if (!("privateKey" in pair)) throw new Error("the runtime generated no key pair");
  const jwk = await crypto.subtle.exportKey("jwk", pair.privateKey);
  if (!isPrivateJwk(jwk)) throw new Error("the runtime exported no P-256 JWK");
  const { x, y, d } = jwk;
  const point = { kty: "EC", crv: "P-256", x, y } as const;
  const kid = await calculateJwkThumbprint(point);
  return { kid, privateJwk: { ...point, d }, publicJwk: { kid, ...point, alg: "ES256" } };
}

/** Imports a public key for verifying; at once when the same object was imported before. */
export async function importVerificationKey(key: VerificationKey): Promise<CryptoKey> {
  return importOnce(key, { kty: key.kty, crv: key.crv, x: key.x, y: key.y }, "verify");
}

/** Imports a private key for signing; at once when the same object was imported before. It cannot be exported again. */
export async function importSigningKey(key: PrivateJwk): Promise<CryptoKey> {
  return importOnce(key, { kty: key.kty, crv: key.crv, x: key.x, y: key.y, d: key.d }, "sign");
}

/** Keeps the key, not the promise: on Workers a promise belongs to the request that made it. */
async function importOnce(
  owner: VerificationKey | PrivateJwk,
  jwk: { kty: string; crv: string; x: string; y: string; d?: string },
  use: "sign" | "verify",
): Promise<CryptoKey> {
  const known = imported.get(owner);
  if (known !== undefined) return known;
  const key = await crypto.subtle.importKey("jwk", jwk, ES256, false, [use]);
  imported.set(owner, key);
  return key;
}

/** Whether a JWK has what a private P-256 key needs. */
export function isPrivateJwk(jwk: unknown): jwk is JWK & PrivateJwk {
  if (typeof jwk !== "object" || jwk === null) return false;
  const fields = { x: "", y: "", d: "", ...jwk };
  return [fields.x, fields.y, fields.d].every((part) => typeof part === "string" && part !== "");
}

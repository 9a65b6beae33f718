/** Tokens as an attacker, a broken issuer or the mesh itself could make them. */
import { importSigningKey } from "../../shared/identity/key.ts";
import type { KeyPair } from "../../shared/identity/key.ts";
import type { TokenContext } from "../../shared/identity/token.ts";

export const NOW = Date.UTC(2026, 10, 24, 12);
export const SECONDS = NOW / 1000;
export const CALLER = "spiffe://mesh.test/ns/shop/sa/web";
export const CALLEE = "spiffe://mesh.test/ns/shop/sa/reviews";

export type Json = Readonly<Record<string, unknown>>;

/** The claims of a token that verifies at `NOW`. */
export const CLAIMS: Json = { sub: CALLER, aud: CALLEE, jti: "t-1", iat: SECONDS, exp: SECONDS + 300 };

export function encode(bytes: string | Uint8Array<ArrayBuffer>): string {
  return Buffer.from(bytes).toString("base64url");
}

/** Joins any two texts to a token and signs it with a key of the mesh, whatever its header says. */
export async function signText(header: string, payload: string, pair: KeyPair): Promise<string> {
  const input = `${encode(header)}.${encode(payload)}`;
  const key = await importSigningKey(pair.privateJwk);
  const signature = await crypto.subtle.sign(
    { name: "ECDSA", hash: "SHA-256" },
    key,
    new TextEncoder().encode(input),
  );
  return `${input}.${encode(new Uint8Array(signature))}`;
}

/** A token of ours with changes: `undefined` removes a field. */
export async function forge(pair: KeyPair, header: Json, claims: Json): Promise<string> {
  return signText(
    JSON.stringify({ alg: "ES256", kid: pair.kid, typ: "JWT", ...header }),
    JSON.stringify({ ...CLAIMS, ...claims }),
    pair,
  );
}

/** How the callee checks tokens at `NOW`. */
export function contextOf(...pairs: readonly KeyPair[]): TokenContext {
  return {
    keys: pairs.map((pair) => pair.publicJwk),
    trustDomain: "mesh.test",
    audiences: [CALLEE, "spiffe://mesh.test"],
    now: NOW,
  };
}

/** Issuers of end users' tokens, and the rules by which a callee takes them. */
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { JwtRule, PublicJwk } from "../../shared/engine/end-user.ts";
import { START } from "./mesh-kit.ts";

const NOW = START / 1_000;

export interface Issuer {
  readonly jwk: PublicJwk;
  token(claims?: Readonly<Record<string, unknown>>): Promise<string>;
}

/** An issuer with a new key. Its tokens are of jane, for the shop, for ten minutes, unless a claim says otherwise. */
export async function issuerOf(iss: string, kid = "k"): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const { kty = "", ...rest } = await exportJWK(publicKey);
  return {
    jwk: { ...rest, kty, kid },
    token: (claims = {}) =>
      new SignJWT({ iss, sub: "jane", aud: "shop", exp: NOW + 600, ...claims })
        .setProtectedHeader({ alg: "ES256", kid })
        .sign(privateKey),
  };
}

/** A rule that takes any audience, at the usual places, and keeps the token to itself. */
export function rule(issuer: string, jwk: PublicJwk, more: Partial<JwtRule> = {}): JwtRule {
  return {
    issuer,
    audiences: [],
    keys: { kind: "inline", keys: [jwk] },
    places: [
      { kind: "header", name: "authorization", prefix: "Bearer " },
      { kind: "param", name: "access_token" },
    ],
    isForwarded: false,
    claimHeaders: [],
    spaced: [],
    ...more,
  };
}

/**
 * The SPIFFE trust bundle: what others need to check the mesh's certificates
 * and tokens (SPIFFE Trust Domain and Bundle §4).
 *
 * @module
 */
import type { VerificationKey } from "../engine/snapshot.ts";

/** How often verifiers fetch the bundle: the default of SPIFFE's federation, five minutes. */
export const REFRESH_HINT_SECONDS = 300;

/** A root that counts. */
export interface TrustedRoot {
  /** DER in base64. */
  readonly certificate: string;
  readonly publicJwk: Readonly<Record<string, string>>;
}

/** The document: a JWK Set with two members more. */
export interface TrustBundle {
  readonly keys: readonly BundleKey[];
  readonly spiffe_sequence: number;
  readonly spiffe_refresh_hint: number;
}

export interface BundleKey {
  readonly use: "x509-svid" | "jwt-svid";
  readonly kty: string;
  readonly kid?: string | undefined;
  readonly crv?: string | undefined;
  readonly x?: string | undefined;
  readonly y?: string | undefined;
  readonly n?: string | undefined;
  readonly e?: string | undefined;
  /** A root: exactly one certificate, DER in base64. */
  readonly x5c?: readonly string[] | undefined;
}

/** Writes the bundle. A larger sequence is a newer one. */
export function trustBundle(
  roots: readonly TrustedRoot[],
  keys: readonly VerificationKey[],
  sequence: number,
): TrustBundle {
  return {
    keys: [
      ...roots.map(({ certificate, publicJwk: { kty = "EC", ...members } }) => ({
        use: "x509-svid" as const,
        kty,
        ...members,
        x5c: [certificate],
      })),
      ...keys.map(({ kid, kty, crv, x, y }) => ({ use: "jwt-svid" as const, kty, kid, crv, x, y })),
    ],
    spiffe_sequence: sequence,
    spiffe_refresh_hint: REFRESH_HINT_SECONDS,
  };
}

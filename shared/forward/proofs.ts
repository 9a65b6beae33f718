/**
 * Proofs of who calls, long after they were accepted: what ends a call that
 * is still open is that one of them was revoked, not that its time has run out.
 *
 * @module
 */
import type { Caller } from "../engine/authorize.ts";
import type { DirectoryUnit } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import { isRevoked } from "../identity/revocation.ts";
import { spiffeId } from "../identity/spiffe.ts";
import type { KnownCertificate, ShownCertificate } from "./client-certificate.ts";
import type { ShownToken } from "./identify.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";
import type { Mesh } from "./state.ts";

/** A caller, and by what it was known when its call began. */
export interface Proved {
  readonly caller: Caller | null;
  /** Of the mesh, as they were verified then. */
  readonly tokens: readonly ShownToken[];
  /** `null`: it has shown none. */
  readonly certificate: KnownCertificate | null;
  /** When the call began. */
  readonly since: Millis;
}

/** What was read of a certificate that a caller has just been known by; `null` where it has shown none. */
export function certificateOf(
  mesh: Mesh,
  shown: ShownCertificate | null | undefined,
): KnownCertificate | null {
  return shown === null || shown === undefined
    ? null
    : (mesh.state.certificates.known.get(shown.leaf) ?? null);
}

/** Refuses if any of the proofs, or all of the caller's, were revoked. `null`: none was. */
export function revokedSince(
  { revoked }: DirectoryUnit,
  { caller, tokens, certificate, since }: Proved,
): Refusal | null {
  if (revoked === undefined || caller === null) return null;
  const subject = spiffeId(caller.trustDomain, caller.namespace, caller.serviceAccount);
  const ids = ["", ...tokens.map(({ id }) => id), ...(certificate === null ? [] : [certificate.serial])];
  // The empty one stands for all that the caller was issued.
  return ids.some((id) => isRevoked(revoked, { id, subject, issuedAt: since }))
    ? refuse("authn.revoked", "What the caller was issued was revoked.")
    : null;
}

/**
 * Who calls, by the client certificate of the connection.
 *
 * @module
 */
import type { Caller } from "../engine/authorize.ts";
import type { DirectoryUnit } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import { isRevoked } from "../identity/revocation.ts";
import { callerOf, spiffeId } from "../identity/spiffe.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";
import type { Mesh } from "./state.ts";

/** Reads and verifies chains. Loaded when the first client shows a certificate. */
export type ChainReader = Pick<typeof import("../identity/client-certificate.ts"), "proveChain">;

/** What the platform says of a certificate that a client has shown. */
export interface ShownCertificate {
  /** What it found, in its own words; only `SUCCESS` is good. */
  readonly verdict: string;
  /** By the lists of whoever issued it, as far as the platform knows them. */
  readonly isRevoked: boolean;
  /** DER in base64; empty when the platform does not hand it over. */
  readonly leaf: string;
  /** What the client has sent besides. */
  readonly chain: readonly string[];
  load(): Promise<ChainReader>;
}

/** A certificate that was verified, and whom it proves. */
export interface KnownCertificate {
  readonly caller: Caller;
  readonly serial: string;
  readonly thumbprint: string;
  readonly issuedAt: Millis;
  readonly expiresAt: Millis;
}

/** Verified certificates by their leaf: a chain takes a millisecond, and a client shows the same with each request. */
export interface CertificateCache {
  /** What they were verified by, as one text. */
  roots: string;
  readonly known: Map<string, KnownCertificate>;
}

/** Certificates remembered at most, about 2 MB. */
const MAX_KNOWN = 1_024;

export function createCertificateCache(): CertificateCache {
  return { roots: "", known: new Map() };
}

/**
 * Decides whom a certificate proves. One that was shown and is not good is
 * refused, never taken for none. Remembered until the roots change; expiry and
 * revocation are looked at each time.
 */
export async function certificateOf(
  mesh: Mesh,
  shown: ShownCertificate,
  directory: DirectoryUnit,
): Promise<KnownCertificate | Refusal> {
  if (shown.verdict !== "SUCCESS") return invalid("the platform could not verify it");
  if (shown.isRevoked) return revoked();
  if (shown.leaf === "") return invalid("it is too large to be read");
  const known = await knownFor(mesh, shown, directory);
  if ("kind" in known) return known;
  const { caller, serial, issuedAt, expiresAt } = known;
  if (mesh.ports.now() >= expiresAt) return invalid("it has expired");
  const subject = spiffeId(caller.trustDomain, caller.namespace, caller.serviceAccount);
  if (directory.revoked !== undefined && isRevoked(directory.revoked, { id: serial, subject, issuedAt }))
    return revoked();
  return known;
}

async function knownFor(
  { state: { certificates }, ports }: Mesh,
  shown: ShownCertificate,
  { roots = [], trustDomain }: DirectoryUnit,
): Promise<KnownCertificate | Refusal> {
  // Without roots nothing can be told true from false: the mesh is at fault, not the caller.
  if (roots.length === 0) return refuse("authn.keys_unavailable", "The mesh has no root certificates yet.");
  const trust = `${trustDomain} ${roots.join(" ")}`;
  if (certificates.roots !== trust) {
    certificates.known.clear();
    certificates.roots = trust;
  }
  const before = certificates.known.get(shown.leaf);
  if (before !== undefined) return before;
  const { proveChain } = await shown.load();
  const proved = await proveChain(shown, { roots, trustDomain, now: ports.now() });
  if ("refusal" in proved) return invalid(proved.refusal);
  const { id, ...rest } = proved;
  const known = { caller: callerOf(id), ...rest };
  if (certificates.known.size >= MAX_KNOWN) certificates.known.clear();
  // The roots may have changed while the signatures were checked.
  if (certificates.roots === trust) certificates.known.set(shown.leaf, known);
  return known;
}

function invalid(why: string): Refusal {
  return refuse("authn.certificate.invalid", `The client certificate proves nobody: ${why}.`);
}

function revoked(): Refusal {
  return refuse("authn.revoked", "The client certificate was revoked: ask for a new one.");
}

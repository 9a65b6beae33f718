/**
 * Proofs that count no longer, though their time has not run out.
 *
 * @module
 */
import type { Revocations } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";

/** What a proof says of itself. */
export interface Proof {
  /** The `jti` of a token, or the serial number of a certificate in hex. */
  readonly id: string;
  /** SPIFFE id of the workload. */
  readonly subject: string;
  readonly issuedAt: Millis;
}

interface Index {
  readonly ids: ReadonlySet<string>;
  readonly identities: ReadonlyMap<string, Millis>;
}

/** By the list's own identity: a snapshot is replaced whole, and what was made of it goes with it. */
const indexes = new WeakMap<Revocations, Index>();

/** Whether a proof is revoked: by its own id, or with everything that its subject was issued before some time. */
export function isRevoked(revoked: Revocations, proof: Proof): boolean {
  const { ids, identities } = indexOf(revoked);
  const before = identities.get(proof.subject);
  return ids.has(proof.id) || (before !== undefined && proof.issuedAt < before);
}

function indexOf(revoked: Revocations): Index {
  const known = indexes.get(revoked);
  if (known !== undefined) return known;
  const identities = new Map(revoked.identities.map(({ subject, before }) => [subject, before]));
  const index = { ids: new Set(revoked.ids), identities };
  indexes.set(revoked, index);
  return index;
}

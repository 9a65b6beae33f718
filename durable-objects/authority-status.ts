/**
 * The authority's state as its operators see it.
 *
 * @module
 */
import type { Millis } from "../shared/engine/time.ts";
import type { AuthorityStatus } from "../shared/wire/authority-rpc.ts";
import type { KeySequence } from "./authority-store.ts";
import {
  intermediateRenewsAt,
  rootLeavesAt,
  rootTakesOverAt,
  type CertificateRing,
} from "./certificate-ring.ts";
import type { Ring } from "./key-ring.ts";

export interface AuthorityFacts {
  readonly trustDomain: string;
  readonly certificates: CertificateRing;
  readonly keys: Ring;
  readonly issued: number;
  readonly revoked: number;
  readonly sequence: KeySequence;
  readonly now: Millis;
}

/** What was loaded has to be replaced by somebody: told a month ahead. */
const WARN_BEFORE_MS: Millis = 30 * 86_400_000;

/** Describes it, with what somebody should look after. */
export function describeAuthority(facts: AuthorityFacts): AuthorityStatus {
  const { certificates, sequence } = facts;
  const { roots, intermediate } = certificates;
  const { id, rootId, notAfter } = intermediate;
  return {
    trustDomain: facts.trustDomain,
    roots: roots.map((root) => ({
      id: root.id,
      state: root.state,
      source: root.source,
      notAfter: root.notAfter,
      takesOverAt: root.state === "next" ? rootTakesOverAt(certificates) : null,
      leavesAt: rootLeavesAt(root),
    })),
    intermediate: { id, rootId, notAfter, renewsAt: intermediateRenewsAt(certificates) },
    signingKeys: facts.keys.keys.map(({ kid, state }) => ({ kid, state })),
    issued: facts.issued,
    revoked: facts.revoked,
    sequence: sequence.sequence,
    isPublished: sequence.published >= sequence.sequence,
    warnings: warningsOf(facts),
  };
}

function warningsOf({ certificates, sequence, now }: AuthorityFacts): readonly string[] {
  const { intermediate } = certificates;
  const warnings: string[] = [];
  if (intermediate.source === "upstream" && intermediate.notAfter <= now + WARN_BEFORE_MS) {
    const day = new Date(intermediate.notAfter).toISOString().slice(0, 10);
    warnings.push(`The loaded intermediate expires on ${day}: load its successor with \`selvedge ca load\`.`);
  }
  if (sequence.published < sequence.sequence) {
    warnings.push("Hosts have not been told the latest change yet; the authority keeps trying.");
  }
  return warnings;
}

/**
 * What may be asked of the authority.
 *
 * @module
 */
import type { Millis } from "../shared/engine/time.ts";
import { meshAudience, parseSpiffeId, parseWorkload, spiffeId } from "../shared/identity/spiffe.ts";
import { MAX_LIFETIME_MS } from "../shared/identity/token.ts";
import { fail, succeed, type FieldProblem, type Outcome } from "../shared/wire/problem.ts";
import type { IssueRequest } from "../shared/wire/rpc.ts";

/** A request that may be granted, with its defaults filled in. */
export interface Grant {
  /** SPIFFE id of the workload. */
  readonly subject: string;
  readonly audience: string;
  readonly ttlMs: Millis;
  readonly isAdmitted: boolean;
}

/** SPIRE's default life of a JWT-SVID. */
const DEFAULT_TTL_SECONDS = 300;
const MIN_TTL_SECONDS = 10;
const MAX_TTL_SECONDS = MAX_LIFETIME_MS / 1000;

/** Checks a request, every problem at once. Whether the workload is who it claims to be was decided before. */
export function checkIssue(request: IssueRequest, trustDomain: string): Outcome<Grant> {
  const { workload, audience, ttlSeconds = DEFAULT_TTL_SECONDS, isAdmitted = false } = request;
  const subject = subjectOf(workload, trustDomain);
  const fields: FieldProblem[] = [];
  if (subject === null) {
    fields.push({ path: "workload", message: "write namespace/service-account" });
  }
  if (!isAudience(audience, trustDomain)) {
    const message = `write ${meshAudience(trustDomain)} or ${spiffeId(trustDomain, "<namespace>", "<service account>")}`;
    fields.push({ path: "audience", message });
  }
  if (!Number.isInteger(ttlSeconds) || ttlSeconds < MIN_TTL_SECONDS || ttlSeconds > MAX_TTL_SECONDS) {
    const message = `write a whole number from ${MIN_TTL_SECONDS} to ${MAX_TTL_SECONDS}`;
    fields.push({ path: "ttlSeconds", message });
  }
  return subject === null || fields.length > 0
    ? fail({ code: "request.malformed", detail: "The token was not issued.", fields })
    : succeed({ subject, audience, ttlMs: ttlSeconds * 1000, isAdmitted });
}

function subjectOf(workload: string, trustDomain: string): string | null {
  const parts = parseWorkload(workload);
  if (parts === null) return null;
  const subject = spiffeId(trustDomain, parts.namespace, parts.serviceAccount);
  return parseSpiffeId(subject) === null ? null : subject;
}

/** Only this mesh's own: no other knows the keys to check the token with. */
function isAudience(audience: string, trustDomain: string): boolean {
  return audience === meshAudience(trustDomain) || parseSpiffeId(audience)?.trustDomain === trustDomain;
}

/**
 * What may be asked of the authority.
 *
 * @module
 */
import type { Millis } from "../shared/engine/time.ts";
import { meshAudience, parseSpiffeId, parseWorkload, spiffeId } from "../shared/identity/spiffe.ts";
import { isThumbprint } from "../shared/identity/thumbprint.ts";
import { MAX_LIFETIME_MS } from "../shared/identity/token.ts";
import type { CertificateRequest, IssueRequest } from "../shared/wire/authority-rpc.ts";
import { fail, succeed, type FieldProblem, type Outcome } from "../shared/wire/problem.ts";

/** A request that may be granted, with its defaults filled in. */
export interface Grant {
  /** SPIFFE id of the workload. */
  readonly subject: string;
  readonly audience: string;
  readonly ttlMs: Millis;
  readonly isAdmitted: boolean;
  readonly requester: string;
  /** Thumbprint of the certificate that it is bound to; `null`: to none, or to one that is issued with it. */
  readonly boundTo: string | null;
}

/** A certificate that may be issued, for whatever key is proved. */
export interface CertificateGrant {
  /** SPIFFE id of the workload. */
  readonly subject: string;
  readonly ttlMs: Millis;
  readonly requester: string;
}

/** The longest life of a certificate: a week. */
export const MAX_CERTIFICATE_LIFE_MS: Millis = 604_800_000;

/** The shortest: ten minutes. Shorter ones would be renewed more often than clocks agree. */
export const MIN_CERTIFICATE_LIFE_MS: Millis = 600_000;

interface Range {
  readonly min: number;
  readonly max: number;
  /** What holds where none is given. */
  readonly usual: number;
}

/** SPIRE's default life of a JWT-SVID. */
const TOKEN_SECONDS: Range = { min: 10, max: MAX_LIFETIME_MS / 1000, usual: 300 };

/** Istio's and Linkerd's default life of a certificate: a day. */
const CERTIFICATE_SECONDS: Range = {
  min: MIN_CERTIFICATE_LIFE_MS / 1000,
  max: MAX_CERTIFICATE_LIFE_MS / 1000,
  usual: 86_400,
};

/** Checks a request, every problem at once. Whether the workload is who it claims to be was decided before. */
export function checkIssue(request: IssueRequest, trustDomain: string): Outcome<Grant> {
  const {
    workload,
    audience,
    ttlSeconds = TOKEN_SECONDS.usual,
    isAdmitted = false,
    requester = "",
    boundTo = null,
  } = request;
  const subject = subjectOf(workload, trustDomain);
  const fields = [
    ...judgeWorkload(subject),
    ...judgeAudience(audience, trustDomain),
    ...judgeLife(ttlSeconds, TOKEN_SECONDS),
    ...judgeBinding(boundTo),
  ];
  return subject === null || fields.length > 0
    ? fail({ code: "request.malformed", detail: "The token was not issued.", fields })
    : succeed({ subject, audience, ttlMs: ttlSeconds * 1000, isAdmitted, requester, boundTo });
}

/** Checks a request for a certificate, but for its key. */
export function checkCertify(
  request: Omit<CertificateRequest, "csr">,
  trustDomain: string,
): Outcome<CertificateGrant> {
  const { workload, ttlSeconds = CERTIFICATE_SECONDS.usual, requester } = request;
  const subject = subjectOf(workload, trustDomain);
  const fields = [...judgeWorkload(subject), ...judgeLife(ttlSeconds, CERTIFICATE_SECONDS)];
  return subject === null || fields.length > 0
    ? fail({ code: "request.malformed", detail: "The certificate was not issued.", fields })
    : succeed({ subject, ttlMs: ttlSeconds * 1000, requester });
}

/** The SPIFFE id of `namespace/service-account`; `null` when it is none. */
export function subjectOf(workload: string, trustDomain: string): string | null {
  const parts = parseWorkload(workload);
  if (parts === null) return null;
  const subject = spiffeId(trustDomain, parts.namespace, parts.serviceAccount);
  return parseSpiffeId(subject) === null ? null : subject;
}

function judgeWorkload(subject: string | null): FieldProblem[] {
  return subject === null ? [{ path: "workload", message: "write namespace/service-account" }] : [];
}

function judgeLife(seconds: number, { min, max }: Range): FieldProblem[] {
  const isFine = Number.isInteger(seconds) && seconds >= min && seconds <= max;
  return isFine ? [] : [{ path: "ttlSeconds", message: `write a whole number from ${min} to ${max}` }];
}

function judgeBinding(thumbprint: string | null): FieldProblem[] {
  const message = "write the certificate's SHA-256 in base64url, without padding";
  return thumbprint === null || isThumbprint(thumbprint) ? [] : [{ path: "boundTo", message }];
}

/** Only this mesh's own: no other knows the keys to check the token with. */
function judgeAudience(audience: string, trustDomain: string): FieldProblem[] {
  const isOurs =
    audience === meshAudience(trustDomain) || parseSpiffeId(audience)?.trustDomain === trustDomain;
  const message = `write ${meshAudience(trustDomain)} or ${spiffeId(trustDomain, "<namespace>", "<service account>")}`;
  return isOurs ? [] : [{ path: "audience", message }];
}

/**
 * What may be revoked, and until when it has to be known that it was.
 *
 * @module
 */
import type { Millis } from "../shared/engine/time.ts";
import { CLOCK_SKEW_MS, MAX_LIFETIME_MS } from "../shared/identity/token.ts";
import type { AuditLine, Revocation, RevokeRequest } from "../shared/wire/authority-rpc.ts";
import { fail, succeed, type Outcome } from "../shared/wire/problem.ts";
import { MAX_CERTIFICATE_LIFE_MS, subjectOf } from "./issue-check.ts";

/** What the audit knows. */
export interface Records {
  expiryOf(kind: AuditLine["kind"], id: string): Millis | null;
  knows(subject: string): boolean;
}

const SERIAL = /^[0-9a-f]{2,40}$/;
const TOKEN_ID = /^[\x21-\x7e]{1,128}$/;

/**
 * Makes a revocation of a request. What the audit does not know is revoked as
 * well, for as long as it could be valid: rather a line too many than one that
 * is missing.
 */
export function planRevocation(
  request: RevokeRequest,
  trustDomain: string,
  records: Records,
  now: Millis,
): Outcome<Revocation> {
  const { kind, reason, author } = request;
  const value = normalize(request, trustDomain);
  if (value === null) {
    return fail({ code: "request.malformed", detail: `Nothing was revoked. ${WRITE[kind]}` });
  }
  const common = { kind, value, reason, author, at: now };
  if (kind === "identity") {
    // Tokens say when they were issued in whole seconds: none of this one shall be left over.
    const before = Math.floor(now / 1000) * 1000 + 1000;
    const until = before + MAX_CERTIFICATE_LIFE_MS + CLOCK_SKEW_MS;
    return succeed({ ...common, before, until, isKnown: records.knows(value) });
  }
  const [proof, longest] =
    kind === "serial"
      ? (["x509-svid", MAX_CERTIFICATE_LIFE_MS] as const)
      : (["jwt-svid", MAX_LIFETIME_MS] as const);
  const expiry = records.expiryOf(proof, value);
  const until = (expiry ?? now + longest) + CLOCK_SKEW_MS;
  if (until <= now) {
    return fail({
      code: "resource.not_found",
      detail: "It has expired by itself: there is nothing to revoke.",
    });
  }
  return succeed({ ...common, before: null, until, isKnown: expiry !== null });
}

const WRITE = {
  serial: "Write the serial number in hex, with or without colons.",
  jti: "Write the token's jti.",
  identity: "Write namespace/service-account.",
} as const;

function normalize({ kind, value }: RevokeRequest, trustDomain: string): string | null {
  switch (kind) {
    case "serial": {
      const serial = value.replaceAll(":", "").toLowerCase();
      return SERIAL.test(serial) ? serial : null;
    }
    case "jti":
      return TOKEN_ID.test(value) ? value : null;
    case "identity":
      return subjectOf(value, trustDomain);
  }
}

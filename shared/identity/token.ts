/**
 * JWT-SVIDs (SPIFFE): short-lived tokens, signed with ES256, that tell one
 * audience which workload calls.
 *
 * @module
 */
import { CompactSign, compactVerify } from "jose";
import type { CryptoKey } from "jose";
import type { Caller } from "../engine/authorize.ts";
import type { Revocations, VerificationKey } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import { importVerificationKey } from "./key.ts";
import { isRevoked } from "./revocation.ts";
import { callerOf, meshAudience, parseSpiffeId, spiffeId } from "./spiffe.ts";
import { ADMITTED_CLAIM, readPayload, readToken, THUMBPRINT_MEMBER } from "./token-text.ts";
import type { TokenText } from "./token-text.ts";

/** The longest life of a token, between `iat` and `exp`: one hour. */
export const MAX_LIFETIME_MS: Millis = 3_600_000;

/** How far two clocks may stand apart before a token counts as early or late: half of what Envoy's JWT filter allows. */
export const CLOCK_SKEW_MS: Millis = 30_000;

/** What a token is to say. */
export interface TokenClaims {
  /** SPIFFE id of the workload that calls. */
  readonly subject: string;
  /** SPIFFE id of the workload that is called, or of the mesh. */
  readonly audience: string;
  /** Unique (`jti`): the token's text can be altered without breaking the signature, so only this names it. */
  readonly id: string;
  readonly issuedAt: Millis;
  readonly expiresAt: Millis;
  /** The edge has run the inbound half for every call that carries the token. */
  readonly isAdmitted?: boolean;
  /** Thumbprint of the certificate without which it does not count. `null`: it counts for whoever shows it. */
  readonly boundTo?: string | null;
}

export interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
}

export interface TokenContext {
  /** Keys whose signatures count now: current, next and previous. Treated as immutable. */
  readonly keys: readonly VerificationKey[];
  readonly trustDomain: string;
  /** Audiences that the verifier answers to. */
  readonly audiences: readonly string[];
  readonly now: Millis;
  /** Tokens that do not count though they are signed. Absent: none. */
  readonly revoked?: Revocations | undefined;
  /** Thumbprint of the certificate that was shown with the token, and verified. Absent: there was none, or none can be seen. */
  readonly certificate?: string | null | undefined;
}

export interface VerifiedToken {
  readonly kind: "ok";
  readonly caller: Caller;
  readonly id: string;
  readonly audience: string;
  readonly issuedAt: Millis;
  readonly expiresAt: Millis;
  readonly isAdmitted: boolean;
  /** Thumbprint of the certificate that must be shown with it each time; `null`: none. */
  readonly boundTo: string | null;
}

export interface RefusedToken {
  readonly kind: "reject";
  readonly code:
    | "authn.token.invalid"
    | "authn.token.expired"
    | "authn.token.unbound"
    | "authn.revoked"
    | "authn.keys_unavailable";
  /** What is wrong, without any part of the token. */
  readonly detail: string;
}

export type TokenVerdict = VerifiedToken | RefusedToken;

/**
 * Signs a token. Instants are cut to whole seconds, the unit of JWT. The
 * claims are taken as they are: who may say what is the issuer's decision.
 */
export async function sign(claims: TokenClaims, key: SigningKey): Promise<string> {
  const payload = {
    sub: claims.subject,
    aud: claims.audience,
    jti: claims.id,
    iat: Math.floor(claims.issuedAt / 1000),
    exp: Math.floor(claims.expiresAt / 1000),
    ...(claims.isAdmitted === true ? { [ADMITTED_CLAIM]: true } : {}),
    ...(typeof claims.boundTo === "string" ? { cnf: { [THUMBPRINT_MEMBER]: claims.boundTo } } : {}),
  };
  return new CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
    .setProtectedHeader({ alg: "ES256", kid: key.kid, typ: "JWT" })
    .sign(key.privateKey);
}

/**
 * Decides whom a token proves. Never throws, and never lets a doubtful token
 * pass: whatever surprises the check is a rejection. The signature is checked
 * last, so that nonsense costs no cryptography; a rejection that says
 * `expired` has therefore not proved that the token was ever ours.
 */
export async function verify(token: string, context: TokenContext): Promise<TokenVerdict> {
  const text = readToken(token);
  if ("refusal" in text) return invalid(text.refusal);
  // Without keys nothing can be told true from false: the mesh is at fault, not the caller.
  if (context.keys.length === 0) return keysUnavailable();

  const id = parseSpiffeId(text.subject);
  if (id === null || id.trustDomain !== context.trustDomain) {
    return invalid("sub is not a workload of this trust domain");
  }
  const refusal = judgeClaims(text, context);
  if (refusal !== null) return refusal;
  const key = context.keys.find((key) => key.kid === text.kid);
  if (key === undefined) return invalid("kid names no key of this mesh");
  if (!(await isSignedBy(token, key))) return invalid("the signature does not match");

  const verdict: VerifiedToken = {
    kind: "ok",
    caller: callerOf(id),
    id: text.id,
    audience: text.audience,
    issuedAt: text.issuedAtSeconds * 1000,
    expiresAt: text.expiresAtSeconds * 1000,
    isAdmitted: text.isAdmitted,
    boundTo: text.boundTo,
  };
  return context.revoked !== undefined && isTokenRevoked(context.revoked, verdict)
    ? refuseRevoked()
    : verdict;
}

/** Whether a token that was verified has been revoked since. */
export function isTokenRevoked(revoked: Revocations, { id, caller, issuedAt }: VerifiedToken): boolean {
  const subject = spiffeId(caller.trustDomain, caller.namespace, caller.serviceAccount);
  return isRevoked(revoked, { id, subject, issuedAt });
}

/** The rejection of a token that was revoked. */
export function refuseRevoked(): RefusedToken {
  return { kind: "reject", code: "authn.revoked", detail: "the token was revoked: ask for a new one" };
}

/** Whether a token does not count for want of the certificate that it is bound to. */
export function lacksCertificate(
  { boundTo }: Pick<VerifiedToken, "boundTo">,
  { certificate }: TokenContext,
): boolean {
  return boundTo !== null && boundTo !== certificate;
}

/** The rejection of a token that came without its certificate. */
export function refuseUnbound(): RefusedToken {
  return {
    kind: "reject",
    code: "authn.token.unbound",
    detail: "the token counts only with the client certificate that it names: connect with that one",
  };
}

/** Whether a token with this expiry counts no longer, clock skew included. */
export function isExpired(expiresAt: Millis, now: Millis): boolean {
  return now >= expiresAt + CLOCK_SKEW_MS;
}

/** The rejection of a token that was once valid. */
export function expired(): RefusedToken {
  return { kind: "reject", code: "authn.token.expired", detail: "the token has expired: ask for a new one" };
}

/**
 * The trust domain that a token claims its subject to be of, or `null` when
 * it claims no SPIFFE id. Nothing is verified: it only tells a mesh's token
 * from an end user's, to choose who has to check it.
 */
export function issuerHint(token: string): string | null {
  const subject = readPayload(token)?.["sub"];
  return typeof subject === "string" ? (parseSpiffeId(subject)?.trustDomain ?? null) : null;
}

function judgeClaims(text: TokenText, context: TokenContext): RefusedToken | null {
  if (!context.audiences.includes(text.audience)) return invalid("aud names somebody else");
  if (text.issuer !== null && text.issuer !== meshAudience(context.trustDomain)) {
    return invalid("iss names another issuer");
  }
  if (lacksCertificate(text, context)) return refuseUnbound();
  return judgeTimes(text, context.now);
}

function judgeTimes(text: TokenText, now: Millis): RefusedToken | null {
  const issuedAt = text.issuedAtSeconds * 1000;
  const expiresAt = text.expiresAtSeconds * 1000;
  const validFrom = Math.max(issuedAt, (text.notBeforeSeconds ?? 0) * 1000);
  if (expiresAt <= issuedAt) return invalid("exp does not come after iat");
  if (expiresAt - issuedAt > MAX_LIFETIME_MS) return invalid("the token lives longer than an hour");
  // Written so that a `now` that is not a number refuses.
  if (!(validFrom <= now + CLOCK_SKEW_MS)) {
    return invalid("the token is not valid yet: check the issuer's clock");
  }
  return isExpired(expiresAt, now) ? expired() : null;
}

async function isSignedBy(token: string, key: VerificationKey): Promise<boolean> {
  try {
    await compactVerify(token, await importVerificationKey(key), { algorithms: ["ES256"] });
    return true;
  } catch {
    // A wrong signature and a broken key mean the same here: not proved.
    return false;
  }
}

function invalid(detail: string): RefusedToken {
  return { kind: "reject", code: "authn.token.invalid", detail };
}

function keysUnavailable(): RefusedToken {
  return {
    kind: "reject",
    code: "authn.keys_unavailable",
    detail: "no keys of the mesh are loaded yet: try again",
  };
}

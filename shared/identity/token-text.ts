/**
 * The text of a JWT-SVID, read strictly and without keys. What passes here is
 * well-formed, not yet true: only `token.ts` decides whom to believe.
 *
 * @module
 */
import { base64url } from "jose";
import { isThumbprint } from "./thumbprint.ts";

/** The longest token that is read at all, in characters: 8 KiB, the common limit of one header line. */
export const MAX_TOKEN_LENGTH = 8192;

/** The name of the private claim by which the edge says that it ran the inbound half already. */
export const ADMITTED_CLAIM = "selvedge.dev/admitted";

/** The member of `cnf` that names a certificate (RFC 8705 §3.1). */
export const THUMBPRINT_MEMBER = "x5t#S256";

/** Claims as a token carries them; instants in seconds since the epoch (RFC 7519 NumericDate). */
export interface TokenText {
  readonly kid: string;
  readonly subject: string;
  readonly audience: string;
  readonly id: string;
  readonly issuedAtSeconds: number;
  readonly expiresAtSeconds: number;
  /** `null` when the token has no `nbf`. */
  readonly notBeforeSeconds: number | null;
  /** `null` when the token has no `iss`, as SPIFFE allows. */
  readonly issuer: string | null;
  readonly isAdmitted: boolean;
  /** Thumbprint of the certificate that must be shown with it (`cnf`, RFC 8705 §3.1); `null` when it names none. */
  readonly boundTo: string | null;
}

type Json = Readonly<Record<string, unknown>>;

const HEADER_NAMES: readonly string[] = ["alg", "kid", "typ"];
const KID = /^[A-Za-z0-9_-]{1,64}$/;
const SEGMENT = /^[A-Za-z0-9_-]+$/;
const MAX_TOKEN_ID_LENGTH = 128;

/** Refuses malformed UTF-8; a byte order mark stays, so that JSON refuses it. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads a token, or tells in a sentence why it is none of ours. Every claim is
 * taken by its name, so that a claim named `__proto__` is one more that
 * nobody reads.
 */
export function readToken(token: string): TokenText | { readonly refusal: string } {
  if (token.length > MAX_TOKEN_LENGTH) return { refusal: "the token is longer than 8 KiB" };
  const segments = token.split(".");
  if (segments.length !== 3 || !segments.every((segment) => SEGMENT.test(segment))) {
    return { refusal: "the token does not have three base64url segments" };
  }
  const [header, payload] = segments.slice(0, 2).map(readObject);
  if (header === undefined || header === null) return { refusal: "the header is not a JSON object" };
  if (payload === undefined || payload === null) return { refusal: "the payload is not a JSON object" };

  const kid = readKid(header);
  if (kid === null) return { refusal: "the header is not {alg: ES256, kid, typ: JWT} and nothing else" };
  return readClaims(kid, payload);
}

/** The payload of a token that nobody has verified; `null` when it cannot be read. */
export function readPayload(token: string): Json | null {
  if (token.length > MAX_TOKEN_LENGTH) return null;
  const segments = token.split(".");
  return segments.length === 3 ? readObject(segments[1] ?? "") : null;
}

function readObject(segment: string): Json | null {
  try {
    const value: unknown = JSON.parse(utf8.decode(base64url.decode(segment)));
    return isObject(value) ? value : null;
  } catch {
    // Not base64url, not UTF-8 or not JSON: to the caller it is all the same.
    return null;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The key's id if the header is exactly as we write it: no `crit`, `jku`, `jwk`, `x5u`, no other algorithm. */
function readKid(header: Json): string | null {
  if (!Object.keys(header).every((name) => HEADER_NAMES.includes(name))) return null;
  const { alg, kid, typ } = header;
  if (alg !== "ES256" || typ !== "JWT") return null;
  return typeof kid === "string" && KID.test(kid) ? kid : null;
}

function readClaims(kid: string, payload: Json): TokenText | { readonly refusal: string } {
  const { sub, aud, jti, iat, exp, nbf = null, iss = null } = payload;
  const isAdmitted = payload[ADMITTED_CLAIM] ?? false;
  if (!isText(sub)) return { refusal: "sub is missing or not a string" };
  // SPIFFE advises one audience: with several, one of them could pass itself off to another as the caller.
  if (!isText(aud)) return { refusal: "aud is missing or not a single string" };
  if (!isText(jti) || jti.length > MAX_TOKEN_ID_LENGTH) return { refusal: "jti is missing or too long" };
  if (!isSeconds(iat) || !isSeconds(exp)) return { refusal: "iat and exp must be whole seconds" };
  if (nbf !== null && !isSeconds(nbf)) return { refusal: "nbf must be whole seconds" };
  if (iss !== null && !isText(iss)) return { refusal: "iss is not a string" };
  if (typeof isAdmitted !== "boolean") return { refusal: `${ADMITTED_CLAIM} is not a boolean` };
  const boundTo = payload["cnf"] === undefined ? null : readConfirmation(payload["cnf"]);
  if (boundTo === undefined) return { refusal: `cnf is not {"${THUMBPRINT_MEMBER}": <thumbprint>}` };
  return {
    kid,
    subject: sub,
    audience: aud,
    id: jti,
    issuedAtSeconds: iat,
    expiresAtSeconds: exp,
    notBeforeSeconds: nbf,
    issuer: iss,
    isAdmitted,
    boundTo,
  };
}

/**
 * The thumbprint that a confirmation names; `undefined` when there is anything
 * else in it, for what somebody wanted confirmed must not go unchecked.
 */
function readConfirmation(confirmation: unknown): string | undefined {
  if (!isObject(confirmation) || Object.keys(confirmation).length !== 1) return undefined;
  const thumbprint = confirmation[THUMBPRINT_MEMBER];
  return typeof thumbprint === "string" && isThumbprint(thumbprint) ? thumbprint : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isSeconds(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

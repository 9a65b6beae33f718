/**
 * The credential of a request, and the bootstrap token: a secret of whoever
 * deployed the mesh, of which the Worker knows the SHA-256 only.
 *
 * @module
 */
import type { Problem } from "../../shared/wire/problem.ts";

/** A longer token is refused unread, so that nobody makes the Worker hash megabytes. */
const MAX_TOKEN_LENGTH = 1024;

const encoder = new TextEncoder();

/** Longer: a JWT of a provider that tells many groups. */
const MAX_JWT_LENGTH = 8_192;

/**
 * The token of an `Authorization` header, or what is wrong with it. Without
 * the header it is what Cloudflare Access, in front of the API, says of who
 * has signed in: a JWT, checked like any other.
 */
export function readBearer(header: string | undefined, assertion: string | undefined): string | Problem {
  if (header === undefined && assertion !== undefined && assertion.length <= MAX_JWT_LENGTH) return assertion;
  if (header === undefined) return refuse("Send a token of the admin API: Authorization: Bearer <token>.");
  const token = /^Bearer ([\x21-\x7e]+)$/.exec(header)?.[1];
  if (token === undefined || token.length > (token.startsWith("eyJ") ? MAX_JWT_LENGTH : MAX_TOKEN_LENGTH)) {
    return refuse("The Authorization header must read: Bearer <token>.");
  }
  return token;
}

/** Whether a token has the SHA-256 in hex, compared in constant time. Without a usable hash none has. */
export async function isBootstrap(token: string, expectedHash: string | undefined): Promise<boolean> {
  if (!isHash(expectedHash)) return false;
  const hash = hex(await crypto.subtle.digest("SHA-256", encoder.encode(token)));
  return crypto.subtle.timingSafeEqual(encoder.encode(hash), encoder.encode(expectedHash.toLowerCase()));
}

/** Why a token that nobody knows is refused. A mesh that was just deployed has none yet: then it says how to set it. */
export function unknownBearer(expectedHash: string | undefined): Problem {
  return refuse(
    isHash(expectedHash) ? "This mesh does not know the token, or it has expired." : NOT_CONFIGURED,
  );
}

const NOT_CONFIGURED =
  "No bootstrap token is set, and this mesh does not know yours. Set the secret SELVEDGE_ADMIN_TOKEN_SHA256 to a " +
  'token\'s SHA-256 in hex: printf %s "$TOKEN" | sha256sum | cut -c1-64 | npx wrangler secret put ' +
  "SELVEDGE_ADMIN_TOKEN_SHA256";

function isHash(text: string | undefined): text is string {
  return text !== undefined && /^[0-9a-fA-F]{64}$/.test(text);
}

function refuse(detail: string): Problem {
  return { code: "admin.unauthorized", detail };
}

function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

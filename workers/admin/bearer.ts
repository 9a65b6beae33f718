/**
 * The admin token: a secret of whoever runs the mesh, of which the Worker
 * knows the SHA-256 only.
 *
 * @module
 */
import type { Problem } from "../../shared/wire/problem.ts";

/** A longer token is refused unread, so that nobody makes the Worker hash megabytes. */
const MAX_TOKEN_LENGTH = 1024;

const encoder = new TextEncoder();

/**
 * Checks an `Authorization` header against the token's SHA-256 in hex, in
 * constant time. Null when it is right. Without a usable hash everybody is
 * refused.
 */
export async function checkBearer(
  header: string | undefined,
  expectedHash: string | undefined,
): Promise<Problem | null> {
  if (expectedHash === undefined || !/^[0-9a-fA-F]{64}$/.test(expectedHash)) return refuse(NOT_CONFIGURED);
  if (header === undefined) return refuse("Send the admin token: Authorization: Bearer <token>.");
  const token = /^Bearer ([\x21-\x7e]+)$/.exec(header)?.[1];
  if (token === undefined || token.length > MAX_TOKEN_LENGTH) {
    return refuse("The Authorization header must read: Bearer <token>.");
  }
  const hash = hex(await crypto.subtle.digest("SHA-256", encoder.encode(token)));
  const isRight = crypto.subtle.timingSafeEqual(
    encoder.encode(hash),
    encoder.encode(expectedHash.toLowerCase()),
  );
  return isRight ? null : refuse("This is not the admin token of this mesh.");
}

const NOT_CONFIGURED =
  "No admin token is set, so that everybody is refused. Set the secret SELVEDGE_ADMIN_TOKEN_SHA256 to the " +
  'token\'s SHA-256 in hex: printf %s "$TOKEN" | sha256sum | cut -c1-64 | npx wrangler secret put ' +
  "SELVEDGE_ADMIN_TOKEN_SHA256";

function refuse(detail: string): Problem {
  return { code: "admin.unauthorized", detail };
}

function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Thumbprints of certificates: how a token names the one that it is bound to
 * (RFC 8705 §3.1).
 *
 * @module
 */
import { base64url } from "jose";

/** 32 bytes in base64url; the last character has two bits that belong to no byte. */
const THUMBPRINT = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/** SHA-256 of a certificate (DER in base64), in base64url: JOSE's `x5t#S256`. Throws when it is no base64. */
export async function thumbprintOf(certificate: string): Promise<string> {
  const der = Uint8Array.from(atob(certificate), (character) => character.charCodeAt(0));
  return base64url.encode(new Uint8Array(await crypto.subtle.digest("SHA-256", der)));
}

/** Whether a text has the form of a thumbprint, in the one way to write it. */
export function isThumbprint(text: string): boolean {
  return THUMBPRINT.test(text);
}

/**
 * The form of secrets that the mesh hands out: `slv_<id>_<secret><checksum>`
 * for the admin API, `slj_…` for joining the mesh. The
 * prefix and the checksum let scanners find one that was published by mistake
 * without asking the mesh; the id finds its row without a search by hash.
 *
 * @module
 */

/** What a token is for. */
export type TokenPrefix = "slv" | "slj";

const ID_BYTES = 6;
const SECRET_BYTES = 24;
const CHECKSUM_LENGTH = 8;
const FORM = /^(slv|slj)_([0-9a-f]{12})_([0-9a-f]{48})([0-9a-f]{8})$/;

/** A token, apart: what is stored is its id, and the SHA-256 of the whole. */
export interface TokenParts {
  readonly id: string;
  readonly token: string;
}

/** Makes a token of fresh chance, 192 bits of it secret. */
export function makeToken(prefix: TokenPrefix = "slv"): TokenParts {
  const id = hex(crypto.getRandomValues(new Uint8Array(ID_BYTES)));
  const body = `${prefix}_${id}_${hex(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)))}`;
  return { id, token: body + checksum(body) };
}

/** The id of a token; `null` when it cannot be one, as a checksum that does not fit tells without a look at storage. */
export function tokenId(token: string, prefix: TokenPrefix = "slv"): string | null {
  const [, found, id] = FORM.exec(token) ?? [];
  const body = token.slice(0, -CHECKSUM_LENGTH);
  return id !== undefined && found === prefix && checksum(body) === token.slice(-CHECKSUM_LENGTH) ? id : null;
}

/** SHA-256 in hex: enough for a secret that nobody can guess. */
export async function hashToken(token: string): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token))));
}

/** CRC-32 (ISO-HDLC) in hex: finds typing errors, proves nothing. */
function checksum(text: string): string {
  let crc = 0xffffffff;
  for (let at = 0; at < text.length; at++) {
    crc ^= text.charCodeAt(at);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (~crc >>> 0).toString(16).padStart(CHECKSUM_LENGTH, "0");
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

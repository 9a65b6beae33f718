/**
 * PEM (RFC 7468): base64 between lines that say what it is.
 *
 * @module
 */

/** One block: what it says it is, and its content in base64 on one line. */
export interface PemBlock {
  readonly label: string;
  readonly base64: string;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,64})-----\s([A-Za-z0-9+/=\s]+)-----END \1-----/g;

/** All blocks of a text, in order. What stands around them is left out, as tools print it there. */
export function readPem(text: string): readonly PemBlock[] {
  return [...text.matchAll(BLOCK)].map(([, label = "", body = ""]) => ({
    label,
    base64: body.replaceAll(/\s/g, ""),
  }));
}

/** Writes one block, 64 characters a line, with a line break at its end. */
export function writePem(label: string, base64: string): string {
  const lines = base64.match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

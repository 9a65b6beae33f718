/**
 * Cookies (RFC 6265), as requests and responses carry them.
 *
 * @module
 */
import type { Millis } from "./time.ts";

/** A header field of a response. */
export interface Field {
  readonly name: string;
  readonly value: string;
}

export interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly path: string;
  /** `null` is a cookie of the browser's session. */
  readonly maxAgeMs: Millis | null;
}

/** Makes a Set-Cookie field (RFC 6265) that scripts cannot read. */
export function setCookie({ name, value, path, maxAgeMs }: Cookie): Field {
  const maxAge = maxAgeMs === null ? "" : `; Max-Age=${Math.ceil(maxAgeMs / 1_000)}`;
  return { name: "set-cookie", value: `${name}=${value}; Path=${path}${maxAge}; HttpOnly` };
}

/** Reads a cookie's value from a Cookie field; `null` when it is not there. Of a repeated one the first counts. */
export function cookieOf(field: string | null, name: string): string | null {
  for (const pair of (field ?? "").split(";")) {
    const equals = pair.indexOf("=");
    if (equals !== -1 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return null;
}

/**
 * Every value of a cookie, in order: for whoever may not overlook one. Lines
 * of Cookie come joined by commas, and some servers take those for separators.
 */
export function cookiesOf(field: string | null, name: string): readonly string[] {
  return (field ?? "").split(/[;,]/).flatMap((pair) => {
    const equals = pair.indexOf("=");
    return equals !== -1 && pair.slice(0, equals).trim() === name ? [pair.slice(equals + 1).trim()] : [];
  });
}

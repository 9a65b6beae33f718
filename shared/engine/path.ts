/**
 * The canonical path: the one spelling of a path that routes, policies,
 * backends and logs all see.
 *
 * The strict level: what two readers could understand differently is refused,
 * what merely has several spellings is brought to one. Each stage below is a
 * function of its own, so that a laxer level can be another choice of stages.
 *
 * @module
 */

/** A request target as everything behind the door sees it, or why it is refused. */
export type CanonicalPath =
  | {
      readonly kind: "ok";
      /** Absolute, without empty or dot segments; parsing it as part of a URL changes nothing. */
      readonly path: string;
      /** What follows the first `?`, as sent; empty when there is none. */
      readonly query: string;
    }
  | { readonly kind: "reject"; readonly code: PathProblem };

/**
 * `path.encoded`: percent-encoding hides a separator, a control character or
 * another encoding, or does not decode to UTF-8. `path.noncanonical`: all else.
 */
export type PathProblem = "path.noncanonical" | "path.encoded";

/** Anything that is not plain RFC 3986 path text, and the begin of an empty or a dotted segment. */
const NEEDS_WORK = /[^A-Za-z0-9\-._~!$&'()*+,=:@/]|\/[/.]/;

/** No HTTP text at all, a fragment, another system's separator, or path parameters (RFC 3986 §3.3). */
const REFUSED_IN_PATH = /[^\x21-\x7e]|[#;\\]/;
const REFUSED_IN_QUERY = /[^\x21-\x7e]|#/;

/** An encoded slash, backslash or control character. */
const HIDDEN = /%(?:2f|5c|[01][0-9a-f]|7f)/i;

/** The same hidden under one or more further encodings, or a dot: it appears when a backend decodes twice. */
const HIDDEN_TWICE = /%25(?:25)*(?:2e|2f|5c|[01][0-9a-f]|7f)/i;

/** `.` or `..`, or dots or nothing before an encoded `;`: some backends cut the segment there, then resolve it. */
const DOT_SEGMENT = /\/(?:\.{1,2}(?:\/|$)|\.*%3B)/;

/**
 * Brings a request target in origin form (`/a/b?x=1`) into canonical form or refuses it.
 *
 * Merges slashes, decodes unreserved characters, encodes characters that RFC
 * 3986 does not allow in a path (`"`, `<`, `|` …), writes the remaining
 * escapes in upper case. Refuses dot segments, backslashes, path parameters
 * and whatever hides behind escapes. Idempotent. A path without anything
 * special is returned as it is.
 */
export function canonicalize(target: string): CanonicalPath {
  const mark = target.indexOf("?");
  const raw = mark === -1 ? target : target.slice(0, mark);
  const query = mark === -1 ? "" : target.slice(mark + 1);
  if (!raw.startsWith("/") || REFUSED_IN_QUERY.test(query)) return reject("path.noncanonical");
  if (!NEEDS_WORK.test(raw)) return { kind: "ok", path: raw, query };

  if (REFUSED_IN_PATH.test(raw)) return reject("path.noncanonical");
  if (HIDDEN.test(raw) || !isDecodable(raw)) return reject("path.encoded");
  const path = mergeSlashes(encodeForbidden(decodeUnreserved(raw)));
  // After decoding, because `%25%32%65` becomes `%252e` only now.
  if (HIDDEN_TWICE.test(path)) return reject("path.encoded");
  if (DOT_SEGMENT.test(path)) return reject("path.noncanonical");
  return { kind: "ok", path, query };
}

function reject(code: PathProblem): CanonicalPath {
  return { kind: "reject", code };
}

/** Every `%` begins an escape, and the escapes are well-formed UTF-8: no overlong form, no surrogate. */
function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    // A URIError is the answer, not a failure.
    return false;
  }
}

function decodeUnreserved(path: string): string {
  return path.replace(/%[0-9A-Fa-f]{2}/g, (escape) => {
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return /[A-Za-z0-9\-._~]/.test(character) ? character : escape.toUpperCase();
  });
}

function encodeForbidden(path: string): string {
  return path.replace(/["<>[\]^`{|}]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  });
}

function mergeSlashes(path: string): string {
  return path.replace(/\/{2,}/g, "/");
}

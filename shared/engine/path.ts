/**
 * The canonical path: the one spelling of a path that routes, policies,
 * backends and logs all see. How it is found is a level, a choice of stages.
 *
 * @module
 */

/**
 * `strict`, the mesh's default, refuses what two readers could understand
 * differently and merges slashes. The others are Istio's levels for backends
 * that need them, each with the stages of those before: `none` takes the path
 * as it was sent; `base` decodes unreserved characters, turns backslashes
 * into slashes and resolves dot segments (RFC 3986 §6.2.2); `merge-slashes`;
 * `decode-and-merge-slashes` decodes `%2F` and `%5C` first.
 */
export type PathLevel = "strict" | "none" | "base" | "merge-slashes" | "decode-and-merge-slashes";

/** A request target as everything behind the door sees it, or why it is refused. */
export type CanonicalPath =
  | {
      readonly kind: "ok";
      /** Absolute. At the strict level without empty or dot segments; parsing it as part of a URL changes nothing. */
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

/**
 * The same hidden under one or more further encodings, or what nobody has cause to encode even once, a letter, a
 * digit or `-._~`: it appears when a backend decodes twice.
 */
const HIDDEN_TWICE = /%25(?:25)*(?:2[def]|3[0-9]|4[1-9a-f]|5[0-9acf]|6[1-9a-f]|7[0-9aef]|[01][0-9a-f])/i;

/** `.` or `..`, or dots or nothing before an encoded `;`: some backends cut the segment there, then resolve it. */
const DOT_SEGMENT = /\/(?:\.{1,2}(?:\/|$)|\.*%3B)/;

/**
 * Brings a request target in origin form (`/a/b?x=1`) into canonical form or
 * refuses it. Idempotent at every level.
 */
export function canonicalize(target: string, level: PathLevel = "strict"): CanonicalPath {
  return level === "strict" ? canonicalizeStrictly(target) : relax(target, level);
}

/**
 * Merges slashes, decodes unreserved characters, encodes characters that RFC
 * 3986 does not allow in a path (`"`, `<`, `|` …), writes the remaining
 * escapes in upper case. Refuses dot segments, backslashes, path parameters
 * and whatever hides behind escapes. A path without anything special is
 * returned as it is.
 */
function canonicalizeStrictly(target: string): CanonicalPath {
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

/** RFC 3986 §2.3. */
const UNRESERVED = /[A-Za-z0-9\-._~]/;

/** As `DOT_SEGMENT`, in any spelling. */
const TURNS = /\\|\/(?:(?:\.|%2e){1,2}(?:\/|$)|(?:\.|%2e)*%3b)/i;

/**
 * Whether a path that was put together stays as it is on its way. Two parts
 * without dot segments may make one: of `/api../x`, with `/api` replaced by
 * `/v2/`, comes `/v2/../x`, which the platform sends as `/x`.
 */
export function isSettled(path: string): boolean {
  return !TURNS.test(path);
}

function decodeUnreserved(path: string): string {
  return path.replace(/%[0-9A-Fa-f]{2}/g, (escape) => {
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return UNRESERVED.test(character) ? character : escape.toUpperCase();
  });
}

function encodeForbidden(path: string): string {
  return path.replace(/["<>[\]^`{|}]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  });
}

/** Leaves one slash of several. */
export function mergeSlashes(path: string): string {
  return path.replace(/\/{2,}/g, "/");
}

/** An escape that is none, or of NUL: it would turn into something else when the path is decoded once more. */
const BROKEN = /%(?![0-9a-f]{2})|%00/i;

/** No HTTP text at all. */
const REFUSED_ANYWHERE = /[^\x21-\x7e]/;

/** Istio's levels. A fragment is cut. Unlike Istio's, all of them refuse what is no HTTP text, and from `base` on broken escapes. */
function relax(target: string, level: Exclude<PathLevel, "strict">): CanonicalPath {
  const [whole = ""] = target.split("#", 1);
  const mark = whole.indexOf("?");
  const raw = mark === -1 ? whole : whole.slice(0, mark);
  const query = mark === -1 ? "" : whole.slice(mark + 1);
  if (!raw.startsWith("/") || REFUSED_ANYWHERE.test(whole)) return reject("path.noncanonical");
  if (level === "none") return { kind: "ok", path: raw, query };

  const unescaped = level === "decode-and-merge-slashes" && !BROKEN.test(raw) ? unescapeSlashes(raw) : raw;
  const normal = normalize(unescaped);
  if (normal === null) return reject("path.encoded");
  return { kind: "ok", path: level === "base" ? normal : mergeSlashes(normal), query };
}

/** Decodes `%2F` and `%5C`, once. */
export function unescapeSlashes(path: string): string {
  return path.replace(/%(2f|5c)/gi, (_escape, digits: string) =>
    digits === "2f" || digits === "2F" ? "/" : "\\",
  );
}

/**
 * Brings a path into the form of RFC 3986 §6.2.2, except that escapes that
 * stay keep the case of their digits: unreserved characters are decoded,
 * backslashes become slashes, dot segments are resolved. `null` when an escape
 * is broken or hides NUL.
 */
export function normalize(path: string): string | null {
  if (BROKEN.test(path)) return null;
  const decoded = path.replace(/%[0-9a-f]{2}/gi, (escape) => {
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return UNRESERVED.test(character) ? character : escape;
  });
  return resolveDots(decoded.replaceAll("\\", "/"));
}

/** Resolves dot segments (RFC 3986 §5.2.4): `..` takes the segment before along, be it empty, and never leaves the root. */
function resolveDots(path: string): string {
  const segments = path.startsWith("/") ? path.slice(1).split("/") : path.split("/");
  const kept: string[] = [];
  for (const [position, segment] of segments.entries()) {
    if (segment === "..") kept.pop();
    if (segment !== "." && segment !== "..") kept.push(segment);
    // What ends in a dot segment ends in a slash.
    else if (position === segments.length - 1) kept.push("");
  }
  return `/${kept.join("/")}`;
}

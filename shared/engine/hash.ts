/**
 * Hashing: from a text to a number that is as good as random and the same on
 * every host, in every isolate and after every restart. Not for secrets.
 *
 * @module
 */
import { cookieOf } from "./cookie.ts";
import type { Caller } from "./authorize.ts";
import { parseQuery } from "./query.ts";
import type { RequestView } from "./request.ts";

/** By what of a request it is told apart from others. Header names are in lower case. */
export type HashKey =
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "cookie"; readonly name: string }
  | { readonly kind: "query"; readonly name: string }
  /** The address that the client connected from. */
  | { readonly kind: "source-ip" }
  /** The proven caller. */
  | { readonly kind: "caller" }
  /** A claim of the bearer token (RFC 7519), proved or not: whoever forges one only chooses a key, as with a cookie. */
  | { readonly kind: "claim"; readonly name: string };

/**
 * Hashes a text to 32 bits: MurmurHash3 (x86, 32 bits; Austin Appleby, public
 * domain) of its UTF-16 code units in little-endian order. Texts that differ
 * in one character have hashes without any likeness.
 */
export function hash32(text: string, seed = 0): number {
  let hash = seed | 0;
  const paired = text.length - (text.length % 2);
  for (let at = 0; at < paired; at += 2) {
    hash ^= scramble(text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16));
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  if (paired < text.length) hash ^= scramble(text.charCodeAt(paired));
  return finish(hash ^ (text.length * 2));
}

function scramble(block: number): number {
  const mixed = Math.imul(block, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}

function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Any number but 0: the second half of `unit` must not repeat the first. */
const SECOND_SEED = 0x9747b28c;

/** Hashes a text to a number in [0, 1), with all of a double's 53 bits. */
export function unit(text: string): number {
  const low = hash32(text, SECOND_SEED) >>> 11;
  return (hash32(text) * 2 ** 21 + low) / 2 ** 53;
}

/**
 * Turns a hash into a number in [0, 1) that has no likeness with it: for a
 * second decision by the same key, which the first must not prejudge. Each
 * `purpose` has numbers of its own.
 */
export function pointOf(hash: number, purpose: number): number {
  return finish(hash ^ Math.imul(purpose + 1, SECOND_SEED)) / 2 ** 32;
}

/** Finds the text that a request is hashed by; `null` when it has none, or an empty one. */
export function keyOf(
  key: HashKey,
  request: RequestView,
  caller: Caller | null,
  sourceIp: string | null,
): string | null {
  const text = textOf(key, request, caller, sourceIp);
  return text === "" ? null : text;
}

function textOf(
  key: HashKey,
  request: RequestView,
  caller: Caller | null,
  sourceIp: string | null,
): string | null {
  switch (key.kind) {
    case "header":
      return request.headers.get(key.name);
    case "cookie":
      return cookieOf(request.headers.get("cookie"), key.name);
    case "query":
      return parseQuery(request.query).get(key.name) ?? null;
    case "source-ip":
      return sourceIp;
    case "caller":
      return caller === null ? null : caller.principal;
    case "claim":
      return claimOf(request.headers.get("authorization"), key.name);
  }
}

/** The claim of a bearer token as text; `null` when there is no such token or it has no such text, number or boolean. */
export function claimOf(authorization: string | null, name: string): string | null {
  const payload = /^bearer +[\w-]+\.([\w-]+)\.[\w-]*$/i.exec(authorization ?? "")?.[1];
  if (payload === undefined) return null;
  try {
    const claims: unknown = JSON.parse(decodeBase64Url(payload));
    const [, value] = Object.entries(claims ?? {}).find(([key]) => key === name) ?? [];
    return typeof value === "object" || value === undefined ? null : String(value);
  } catch {
    // A token that cannot be read has no claim; whether it is refused is for others to decide.
    return null;
  }
}

const BASE64_URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Decodes base64url (RFC 4648 §5) of UTF-8. Throws a URIError when it is no UTF-8. */
function decodeBase64Url(text: string): string {
  let escaped = "";
  let bits = 0;
  let held = 0;
  for (const character of text) {
    held = ((held << 6) | BASE64_URL.indexOf(character)) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    escaped += `%${((held >> bits) & 0xff).toString(16).padStart(2, "0")}`;
  }
  return decodeURIComponent(escaped);
}

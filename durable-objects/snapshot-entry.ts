/**
 * Compiled units as they lie in the store outside of the registry: signed,
 * each under its own name, so that whoever can write the store can neither
 * invent a unit nor put one in the place of another.
 *
 * The key is derived from the secret that every release of the Worker has
 * (HKDF, RFC 5869), so that it is there when no object is.
 *
 * @module
 */
import type { Unit, UnitKey } from "../shared/engine/snapshot.ts";
import type { Millis } from "../shared/engine/time.ts";
import type { Env } from "./env.ts";

/** Part of the signature: an entry of another form is refused like one of another signer. */
const FORM = "selvedge snapshot 1";

/** What all entries together are worth. */
export const HEAD = "head";

const MAX_NAME_BYTES = 500;

/** Signs and verifies the entries of one mesh. */
export interface Seal {
  /** Another when the secret is another. */
  readonly fingerprint: string;
  /** The text to store under a name. */
  close(name: string, body: string): Promise<string>;
  /** The body that was signed for this name; `null` for anything else. */
  open(name: string, text: string): Promise<string | null>;
}

/** A unit as it was at a version; `null` where it was gone. */
export interface StoredUnit {
  readonly version: number;
  readonly unit: Unit | null;
}

/** When all units up to a version were in the store. */
export interface StoredHead {
  readonly version: number;
  readonly at: Millis;
}

/** The seal of the mesh; `null` without the secret, when nothing is stored and nothing is believed. */
export async function sealOf(env: Env): Promise<Seal | null> {
  const secret = env.SELVEDGE_ADMIN_TOKEN_SHA256 ?? "";
  if (secret === "") return null;
  const key = await deriveKey(secret.toLowerCase(), env.SELVEDGE_TRUST_DOMAIN);
  const sign = async (name: string, body: string): Promise<string> =>
    base64Of(await crypto.subtle.sign("HMAC", key, signed(name, body)));
  return {
    fingerprint: (await sign("fingerprint", "")).slice(0, 16),
    close: async (name, body) => `${await sign(name, body)} ${body}`,
    open: async (name, text) => {
      const gap = text.indexOf(" ");
      const signature = bytesOf(text.slice(0, Math.max(gap, 0)));
      const body = text.slice(gap + 1);
      const isOurs =
        signature !== null && (await crypto.subtle.verify("HMAC", key, signature, signed(name, body)));
      return isOurs ? body : null;
    },
  };
}

/** The name of a unit's entry: readable, but for keys that are longer than names may be (512 bytes). */
export async function nameOf(key: UnitKey): Promise<string> {
  const bytes = new TextEncoder().encode(key);
  if (bytes.length <= MAX_NAME_BYTES) return `unit/${key}`;
  return `long/${base64Of(await crypto.subtle.digest("SHA-256", bytes))}`;
}

/** The body of a unit's entry; `json` is the unit's, or `null`. */
export function unitBody(version: number, json: string | null): string {
  return `{"version":${version},"unit":${json ?? "null"}}`;
}

// What has been opened was signed by the mesh: JSON.parse is the whole check.

/** A unit's entry, opened. */
export function parseUnit(body: string): StoredUnit {
  return JSON.parse(body);
}

/** The head, opened. */
export function parseHead(body: string): StoredHead {
  return JSON.parse(body);
}

async function deriveKey(secret: string, trustDomain: string): Promise<CryptoKey> {
  const encoder = new TextEncoder();
  const base = await crypto.subtle.importKey("raw", encoder.encode(secret), "HKDF", false, ["deriveKey"]);
  return crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: encoder.encode(trustDomain), info: encoder.encode(FORM) },
    base,
    { name: "HMAC", hash: "SHA-256", length: 256 },
    false,
    ["sign", "verify"],
  );
}

function signed(name: string, body: string): Uint8Array {
  return new TextEncoder().encode(JSON.stringify([FORM, name, body]));
}

function base64Of(bytes: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)));
}

function bytesOf(base64: string): Uint8Array | null {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    // Not base64: not a signature.
    return null;
  }
}

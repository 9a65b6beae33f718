/**
 * The header fields that a call is sent on with.
 *
 * @module
 */
import { childOf, formatTraceparent, parseTraceparent } from "../engine/trace.ts";
import type { TraceContext } from "../engine/trace.ts";
import type { Caller } from "../engine/authorize.ts";
import type { HeaderReader } from "../engine/request.ts";
import type { Random } from "../engine/time.ts";
import { spiffeId } from "../identity/spiffe.ts";
import { clientAddress } from "./client-address.ts";
import type { Entry } from "./door.ts";

/** What is known about a call when its fields are made. */
export interface Passage {
  readonly entry: Entry;
  readonly requestId: string;
  readonly trace: TraceContext;
  /** From outside the mesh: nothing it says about earlier hops is believed. */
  readonly isFromOutside: boolean;
  /** `authorization` was for the mesh alone. */
  readonly isBearerOurs: boolean;
  /** Proxies before the platform whose `x-forwarded-for` is believed. */
  readonly trustedHops: number;
}

/**
 * Copies the fields that came, without those that end at this hop and those
 * that only the mesh may say; then adds what the mesh says about every call.
 * In this order, so that a client cannot have a field of ours removed.
 */
export function onward(fields: Headers, passage: Passage): Headers {
  const { entry } = passage;
  const headers = new Headers(fields);
  const isUpgrade = headers.get("upgrade")?.toLowerCase() === "websocket";
  headers.delete("host");
  for (const name of entry.perHop) if (!isUpgrade || name !== "upgrade") headers.delete(name);
  for (const name of entry.owned) headers.delete(name);
  if (passage.isBearerOurs) headers.delete("authorization");
  if (passage.isFromOutside) tellOrigin(headers, fields, passage);
  headers.set("x-request-id", passage.requestId);
  headers.set("traceparent", formatTraceparent(passage.trace));
  return headers;
}

/** The client's address is believed only from the platform, which sets `cf-connecting-ip` itself, and from trusted proxies. */
function tellOrigin(headers: Headers, fields: Headers, { entry, trustedHops }: Passage): void {
  const { view, forwarding } = entry;
  for (const name of forwarding) headers.delete(name);
  const client = clientAddress({ headers: fields, isFromOutside: true, trustedHops });
  if (client !== null) headers.set("x-forwarded-for", client);
  headers.set("x-forwarded-host", view.authority);
  headers.set("x-forwarded-proto", view.scheme);
}

/** The client's address, as the platform or an earlier host of the mesh told it; `null` when nobody did. */
export function sourceIpOf(headers: HeaderReader): string | null {
  const addresses = headers.get("x-forwarded-for");
  return addresses === null ? null : (addresses.split(",")[0]?.trim() ?? null);
}

/** The value of `x-forwarded-client-cert` (Envoy's form) that tells `callee`, a `namespace/name`, who calls it. */
export function clientCertificate(caller: Caller, callee: string): string {
  const [namespace = "", name = ""] = callee.split("/");
  const by = spiffeId(caller.trustDomain, namespace, name);
  return `By=${by};URI=spiffe://${caller.principal}`;
}

/** Keeps a request id that came, if it is fit for logs and headers; else makes one. Not a secret. */
export function requestIdOf(headers: Headers, random: Random): string {
  const given = headers.get("x-request-id");
  return given !== null && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : hex(random, 16);
}

/** The span of this hop: in the caller's trace, or the first of a new one. */
export function traceOf(headers: Headers, random: Random): TraceContext {
  return childOf(parseTraceparent(headers.get("traceparent")), (bytes) => hex(random, bytes));
}

/** From a table: a number above 2^31 takes V8 0.5 µs to write in hexadecimal, and a call needs up to ten. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Never all zero, which Trace Context forbids. */
function hex(random: Random, bytes: number): string {
  let digits = "";
  for (let length = 0; length < bytes; length += 4) {
    const word = Math.floor(random() * 0xffffffff + 1);
    digits += `${HEX[word >>> 24]}${HEX[(word >>> 16) & 255]}${HEX[(word >>> 8) & 255]}${HEX[word & 255]}`;
  }
  return digits;
}

/**
 * Which bucket of a rate limit a call is charged to.
 *
 * @module
 */
import { claimOf, hash32 } from "./hash.ts";
import { formatIpv6, parseIpv4, parseIpv6 } from "./ipv6.ts";
import type { KeyPart, RateLimit } from "./limit.ts";
import { parseQuery } from "./query.ts";
import type { HeaderReader } from "./request.ts";

/** What a limit's key is made of. */
export interface KeyInput {
  /** Who calls; `null` when nobody was proved. */
  readonly caller: string | null;
  readonly method: string;
  /** Canonical. */
  readonly path: string;
  /** As sent, without the `?`. */
  readonly query: string;
  readonly headers: HeaderReader;
  /** The client's address as text; `null` when nobody told it. Asked only by a limit that wants it. */
  address(): string | null;
}

/**
 * Names the bucket that a call is charged to. Different limits, and different
 * values of their parts, never share one: each value stands behind its
 * length, an absent one apart from every value. The rate is part of the name,
 * so that two limits of one policy stay apart; a changed rate starts afresh.
 */
export function keyOf({ policy, rate, key: parts }: RateLimit, input: KeyInput): string {
  let key = `${measured(policy)} ${rate.requests}/${rate.perMs}+${rate.burst}`;
  for (const part of parts) {
    key += "name" in part ? ` ${part.kind} ${measured(part.name)}` : ` ${part.kind}`;
    key += ` ${measured(valueOf(part, input))}`;
  }
  return key;
}

/**
 * The network that an address is of, in one spelling: one IPv4 address,
 * however it is written, or the /64 of an IPv6 address, which is what one
 * customer gets (RFC 6177). `null`: not an address.
 */
export function networkOf(address: string): string | null {
  if (parseIpv4(address) !== null) return address;
  const groups = parseIpv6(address);
  if (groups === null) return null;
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  // ::ffff:0:0/96 holds IPv4 addresses (RFC 4291 §2.5.5.2).
  if (a + b + c + d + e === 0 && f === 0xffff) return `${g >> 8}.${g & 255}.${h >> 8}.${h & 255}`;
  return `${formatIpv6([a, b, c, d, 0, 0, 0, 0])}/64`;
}

function valueOf(part: KeyPart, input: KeyInput): string | null {
  switch (part.kind) {
    case "caller":
      return input.caller;
    case "method":
      return input.method;
    case "path":
      return input.path;
    case "remote-address": {
      const address = input.address();
      return address === null ? null : networkOf(address);
    }
    case "header":
      return input.headers.get(part.name);
    case "query":
      return parseQuery(input.query).get(part.name) ?? null;
    case "claim":
      return claimOf(input.headers.get("authorization"), part.name);
  }
}

/** Longer values are told apart by a hash: clients choose them, and every table of buckets holds them. */
const MAX_LENGTH = 128;

function measured(value: string | null): string {
  if (value === null) return "-";
  return value.length <= MAX_LENGTH ? `${value.length}:${value}` : `${value.length}#${digest(value)}`;
}

/** 128 bits. Values that collide share a bucket: whoever makes two of his own do so only gains less. */
function digest(value: string): string {
  return [1, 2, 3, 4].map((seed) => hash32(value, seed).toString(16).padStart(8, "0")).join("");
}

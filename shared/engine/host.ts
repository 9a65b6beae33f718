/**
 * Hosts: the grammar of what a client may send, and the patterns that
 * listeners and routes compare with it (`*`, `*.example.test`,
 * `www.example.test`; Gateway API `Hostname`).
 *
 * @module
 */
import { canonicalizeIpv6, parseIpv4 } from "./ipv6.ts";

/** An authority as a host and a port; `reject` when it is not in the grammar. */
export type ParsedHost =
  | {
      readonly kind: "ok";
      /** In lower case, without port and trailing dot; an IPv6 address in brackets and its shortest spelling. */
      readonly host: string;
      /** The port that was named, else the default port of the scheme. */
      readonly port: number;
    }
  | { readonly kind: "reject" };

const REJECT: ParsedHost = { kind: "reject" };

/**
 * Nothing that a URL parser could take for user information, a path or a
 * second host. No host name has an underscore (RFC 1123), but names of
 * services in authorities do: gRPC's, and those of Docker.
 */
const AUTHORITY = /^[a-z0-9._-]{1,253}(?::[0-9]{1,5})?$/i;
const IPV6_AUTHORITY = /^\[[0-9a-f:.]{2,45}\](?::[0-9]{1,5})?$/i;

/** A name whose last label is a number: a URL parser takes it for an IPv4 address in one of many spellings. */
const NUMERIC = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/;

/** The port that a URL of the scheme means when it names none. */
export function defaultPort(scheme: "http" | "https"): number {
  return scheme === "https" ? 443 : 80;
}

/**
 * Reads an authority (`Host` header, without user information) as a host and
 * a port, or refuses it. One trailing dot is cut; empty labels, port 0 and
 * above 65535, zones of IPv6 addresses and IPv4 addresses in other than
 * dotted decimal form are refused.
 */
export function parseHost(authority: string, scheme: "http" | "https"): ParsedHost {
  if (authority.startsWith("[")) return parseIpv6Host(authority, scheme);
  if (!AUTHORITY.test(authority)) return REJECT;
  const colon = authority.indexOf(":");
  const name = (colon === -1 ? authority : authority.slice(0, colon)).toLowerCase();
  const host = name.endsWith(".") ? name.slice(0, -1) : name;
  if (!hasLabels(host) || (NUMERIC.test(host) && parseIpv4(host) === null)) return REJECT;
  return withPort(host, colon === -1 ? "" : authority.slice(colon + 1), scheme);
}

function parseIpv6Host(authority: string, scheme: "http" | "https"): ParsedHost {
  if (!IPV6_AUTHORITY.test(authority)) return REJECT;
  const end = authority.indexOf("]");
  const address = canonicalizeIpv6(authority.slice(1, end));
  return address === null ? REJECT : withPort(`[${address}]`, authority.slice(end + 2), scheme);
}

function hasLabels(host: string): boolean {
  return host !== "" && !host.startsWith(".") && !host.endsWith(".") && !host.includes("..");
}

function withPort(host: string, digits: string, scheme: "http" | "https"): ParsedHost {
  const port = digits === "" ? defaultPort(scheme) : Number(digits);
  return port >= 1 && port <= 65_535 ? { kind: "ok", host, port } : REJECT;
}

/**
 * Whether a pattern covers a host, both in lower case. `*.x` covers one or
 * more labels before `x`, never `x` itself.
 */
export function matchHost(pattern: string, host: string): boolean {
  if (!isWildcard(pattern)) return pattern === host;
  return pattern === "*" || (host.length >= pattern.length && host.endsWith(pattern.slice(1)));
}

/** The pattern that covers exactly the hosts that both patterns cover; `null` when there are none. */
export function intersectHost(a: string, b: string): string | null {
  // Read as a host, a pattern is covered by the patterns that cover all of its hosts.
  if (matchHost(a, b)) return b;
  return matchHost(b, a) ? a : null;
}

/**
 * Orders patterns so that of all that cover a host the most specific comes
 * first (Gateway API: exact names, then wildcards, each with the most characters).
 * Alike patterns are ordered by their text.
 */
export function compareHost(a: string, b: string): number {
  if (isWildcard(a) !== isWildcard(b)) return isWildcard(a) ? 1 : -1;
  if (a.length !== b.length) return b.length - a.length;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/**
 * The most specific of the patterns that covers a host; `null` when none
 * does. Costs one look-up per label, however many patterns there are.
 */
export function findHost(patterns: { has(pattern: string): boolean }, host: string): string | null {
  if (patterns.has(host)) return host;
  for (let dot = host.indexOf("."); dot !== -1; dot = host.indexOf(".", dot + 1)) {
    const pattern = `*${host.slice(dot)}`;
    if (patterns.has(pattern)) return pattern;
  }
  return patterns.has("*") ? "*" : null;
}

function isWildcard(pattern: string): boolean {
  return pattern.startsWith("*");
}

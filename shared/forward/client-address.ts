/**
 * Where a call comes from.
 *
 * @module
 */
import type { Addresses } from "../engine/access-condition.ts";
import { parseNetworkAddress } from "../engine/address-block.ts";
import type { HeaderReader } from "../engine/request.ts";

/** What is known of the way that a call took. */
export interface Approach {
  /** As it came in. */
  readonly headers: HeaderReader;
  /** From the network; otherwise from a Worker, by a binding. */
  readonly isFromOutside: boolean;
  /** Proxies before the platform whose `x-forwarded-for` is believed. */
  readonly trustedHops: number;
}

/**
 * The client's address as a text. From outside it is the one that the
 * platform saw, or, behind trusted proxies, what the first of them saw
 * (Envoy's `xff_num_trusted_hops`). From a Worker it is what an earlier host
 * of the mesh told it, if it passes that on. `null`: nobody knows.
 */
export function clientAddress({ headers, isFromOutside, trustedHops }: Approach): string | null {
  const told = headers.get("x-forwarded-for");
  const hops = told === null ? [] : told.split(",").map((hop) => hop.trim());
  if (!isFromOutside) return hops[0] ?? null;
  const peer = headers.get("cf-connecting-ip");
  return trustedHops === 0 ? peer : (hops[hops.length - trustedHops] ?? peer);
}

/** Both addresses as policies compare them; `null`: the host cannot tell, and what asks for them fails closed. */
export function addressesOf(approach: Approach): Addresses | null {
  const remote = clientAddress(approach);
  const known = remote === null ? null : parseNetworkAddress(remote);
  if (!approach.isFromOutside)
    return remote !== null && known === null ? null : { source: null, remote: known };
  const source = parseNetworkAddress(approach.headers.get("cf-connecting-ip") ?? "");
  return source === null || known === null ? null : { source, remote: known };
}

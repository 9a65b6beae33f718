/**
 * Network addresses and blocks of them (CIDR), IPv4 and IPv6 alike.
 *
 * @module
 */
import { parseIpv4, parseIpv6 } from "./ipv6.ts";

/** Eight groups of 16 bits. An IPv4 address is the IPv6 address that it is mapped to (RFC 4291 §2.5.5.2), so that one form compares with both spellings. */
export type NetworkAddress = readonly number[];

export interface AddressBlock {
  readonly address: NetworkAddress;
  /** How many leading bits of the mapped form count, 0..128. */
  readonly bits: number;
}

/** Bits before an IPv4 address in its mapped form. */
const MAPPED_BITS = 96;

/** Reads an address, with or without brackets, port or zone; `null`: not an address. */
export function parseNetworkAddress(text: string): NetworkAddress | null {
  const trimmed = text.trim();
  if (trimmed.startsWith("[")) {
    const end = trimmed.indexOf("]");
    return end === -1 ? null : parseIpv6(withoutZone(trimmed.slice(1, end)));
  }
  const colon = trimmed.indexOf(":");
  const isIpv4 = trimmed.includes(".") && colon === trimmed.lastIndexOf(":");
  if (!isIpv4) return parseIpv6(withoutZone(trimmed));
  const octets = parseIpv4(colon === -1 ? trimmed : trimmed.slice(0, colon));
  return octets === null ? null : mapped(octets);
}

function withoutZone(text: string): string {
  const percent = text.indexOf("%");
  return percent === -1 ? text : text.slice(0, percent);
}

function mapped([a, b, c, d]: readonly [number, number, number, number]): NetworkAddress {
  return [0, 0, 0, 0, 0, 0xffff, a * 256 + b, c * 256 + d];
}

/** Reads a block: an address, or an address and the number of its leading bits, `10.0.0.0/8`; `null`: neither. */
export function parseAddressBlock(text: string): AddressBlock | null {
  const slash = text.indexOf("/");
  const host = slash === -1 ? text : text.slice(0, slash);
  const octets = parseIpv4(host);
  const address = octets === null ? parseIpv6(host) : mapped(octets);
  if (address === null) return null;
  const offset = octets === null ? 0 : MAPPED_BITS;
  if (slash === -1) return { address, bits: 128 };
  const length = text.slice(slash + 1);
  const bits = Number(length) + offset;
  return String(Number(length)) === length && Number(length) >= 0 && bits <= 128 ? { address, bits } : null;
}

/** Whether an address is in a block. */
export function isWithin({ address, bits }: AddressBlock, candidate: NetworkAddress): boolean {
  let left = bits;
  for (let index = 0; left > 0; index++, left -= 16) {
    const shift = left >= 16 ? 0 : 16 - left;
    if ((address[index] ?? 0) >>> shift !== (candidate[index] ?? 0) >>> shift) return false;
  }
  return true;
}

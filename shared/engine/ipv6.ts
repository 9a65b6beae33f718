/**
 * IPv6 addresses as text: many spellings, one address.
 *
 * @module
 */

/**
 * Brings an IPv6 address, without brackets and zone, into the spelling of the
 * URL standard (RFC 5952 with hexadecimal groups throughout): lower case, no
 * leading zeros, the first longest run of zeros cut. `null`: not an address.
 */
export function canonicalizeIpv6(text: string): string | null {
  const groups = parseIpv6(text);
  return groups === null ? null : formatIpv6(groups);
}

/** The eight groups of an IPv6 address, without brackets and zone; `null`: not an address. */
export function parseIpv6(text: string): readonly number[] | null {
  const halves = text.split("::");
  const [head, tail] = halves;
  if (head === undefined || halves.length > 2) return null;
  const before = parseGroups(head, tail === undefined);
  const after = tail === undefined ? [] : parseGroups(tail, true);
  if (before === null || after === null) return null;

  const missing = 8 - before.length - after.length;
  // `::` stands for at least one group.
  if (tail === undefined ? missing !== 0 : missing < 1) return null;
  return [...before, ...Array.from({ length: missing }, () => 0), ...after];
}

/** Groups between colons; the last may be an IPv4 address where the address ends. */
function parseGroups(text: string, isEnd: boolean): number[] | null {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const octets = isEnd && index === parts.length - 1 ? parseIpv4(part) : null;
    if (octets === null) return null;
    const [a, b, c, d] = octets;
    groups.push(a * 256 + b, c * 256 + d);
  }
  return groups;
}

/** Four decimal octets without leading zeros: the only spelling of an IPv4 address that all readers agree on. */
export function parseIpv4(text: string): [number, number, number, number] | null {
  const [a, b, c, d, ...rest] = text.split(".").map(parseOctet);
  if (a === undefined || b === undefined || c === undefined || d === undefined) return null;
  return rest.length === 0 ? [a, b, c, d] : null;
}

function parseOctet(text: string): number | undefined {
  const value = Number(text);
  return value >= 0 && value <= 255 && String(value) === text ? value : undefined;
}

/** Writes eight groups as `canonicalizeIpv6` does. */
export function formatIpv6(groups: readonly number[]): string {
  const cut = longestZeros(groups);
  const texts = groups.map((group) => group.toString(16));
  if (cut.length < 2) return texts.join(":");
  return `${texts.slice(0, cut.start).join(":")}::${texts.slice(cut.start + cut.length).join(":")}`;
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  for (const [index, group] of groups.entries()) {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: index - length + 1, length };
  }
  return best;
}

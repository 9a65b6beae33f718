/**
 * Addresses of endpoints, and which of them would let a tenant reach what is
 * not theirs: an origin is called with the mesh's own network position.
 *
 * @module
 */
import type { Address } from "../engine/endpoint.ts";

/** What a text says about an address. */
export type AddressResult =
  | { readonly ok: true; readonly address: Address }
  /** `message` says what to write instead. */
  | { readonly ok: false; readonly message: string };

const FORMS = "write binding:NAME, dispatch:NAME or http(s)://host[:port]";

/** Reads `binding:NAME`, `dispatch:NAME` or `http(s)://host[:port]`. Accepts private hosts: see `isPrivate`. */
export function parseAddress(text: string): AddressResult {
  if (text.length > 2048) return refuse("is too long: at most 2048 characters");
  if (text.startsWith("http://") || text.startsWith("https://")) return parseOrigin(text);

  const [kind, name = "", ...rest] = text.split(":");
  if ((kind !== "binding" && kind !== "dispatch") || rest.length > 0) {
    return refuse(`is not an address: ${FORMS}`);
  }
  if (!/^[A-Za-z][A-Za-z0-9_-]{0,62}$/.test(name)) {
    return refuse(`${kind}: takes a name of letters, digits, '-' and '_' that begins with a letter`);
  }
  if (kind === "binding" && isReservedBinding(name))
    return refuse(`may not be the mesh's own binding ${name}`);
  return { ok: true, address: { kind, name } };
}

/** The mesh's own bindings: an endpoint among them would hand its objects to whoever may declare endpoints. */
const RESERVED =
  /^(MESH|REGISTRY|HEALTH|CIRCUIT|RATE_LIMIT|REPLAY|AUTHORITY|ADMIN|TELEMETRY|CHANNEL|ASSETS|SELVEDGE_.*)$/;

/** Whether a binding is not for endpoints. It is a property of `env`, so that its name may not reach into Object.prototype, either. */
export function isReservedBinding(name: string): boolean {
  return RESERVED.test(name) || Reflect.has(Object.prototype, name);
}

function parseOrigin(text: string): AddressResult {
  const url = URL.parse(text);
  if (url === null || url.hostname === "") return refuse(`is not a URL: ${FORMS}`);
  if (url.username !== "" || url.password !== "") return refuse("may not carry user information");
  // WHATWG URL drops an empty `?` or `#` and treats `\` as `/`, so the text itself is looked at as well.
  if (url.pathname !== "/" || /[?#\\]/.test(text)) {
    return refuse("may not have a path, query or fragment: end it after host or port");
  }
  if (!/^[!-~\u0080-\uffff]*$/.test(text) || text.includes("@")) {
    return refuse("may not hold white space, control characters or '@'");
  }
  return { ok: true, address: { kind: "origin", url: url.origin } };
}

function refuse(message: string): AddressResult {
  return { ok: false, message };
}

/** The text that `parseAddress` reads. */
export function formatAddress(address: Address): string {
  return address.kind === "origin" ? address.url : `${address.kind}:${address.name}`;
}

/**
 * Whether an origin's host is private, loopback, link-local or otherwise not
 * of the public Internet. Looks at the *parsed* host: WHATWG URL folds every
 * spelling of an IPv4 address (`0x7f.1`, `2130706433`, full-width digits)
 * into one. What a public name resolves to cannot be seen here.
 */
export function isPrivate(address: Address): boolean {
  if (address.kind !== "origin") return false;
  const { hostname } = new URL(address.url);
  if (hostname.startsWith("[")) return isPrivateIpv6(hostname.slice(1, -1));
  const ipv4 = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(hostname);
  return ipv4 === null ? isPrivateName(hostname) : isPrivateIpv4(ipv4.slice(1).map(Number));
}

/** Names that stand for this host or a private network (RFC 6761, RFC 6762, ICANN's `internal`, RFC 8375). */
const PRIVATE_SUFFIXES = ["localhost", "local", "localdomain", "internal", "intranet", "lan", "home.arpa"];

function isPrivateName(hostname: string): boolean {
  const name = hostname.replace(/\.+$/, "");
  // A name without a dot is resolved by whatever search list the host has.
  return !name.includes(".") || PRIVATE_SUFFIXES.some((suffix) => name.endsWith(`.${suffix}`));
}

/** IANA's special-purpose IPv4 blocks that are not globally reachable, as [first octets, prefix length]. */
const PRIVATE_IPV4: readonly (readonly [number, number])[] = [
  [octets(0, 0, 0, 0), 8],
  [octets(10, 0, 0, 0), 8],
  [octets(100, 64, 0, 0), 10],
  [octets(127, 0, 0, 0), 8],
  [octets(169, 254, 0, 0), 16],
  [octets(172, 16, 0, 0), 12],
  [octets(192, 0, 0, 0), 24],
  [octets(192, 0, 2, 0), 24],
  [octets(192, 88, 99, 0), 24],
  [octets(192, 168, 0, 0), 16],
  [octets(198, 18, 0, 0), 15],
  [octets(198, 51, 100, 0), 24],
  [octets(203, 0, 113, 0), 24],
  // Multicast and reserved, with the broadcast address.
  [octets(224, 0, 0, 0), 3],
];

function isPrivateIpv4([a = 0, b = 0, c = 0, d = 0]: readonly number[]): boolean {
  const value = octets(a, b, c, d);
  return PRIVATE_IPV4.some(([network, bits]) => value >>> (32 - bits) === network >>> (32 - bits));
}

function octets(a: number, b: number, c: number, d: number): number {
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/**
 * Everything outside 2000::/3 is private: loopback, unspecified, unique local, link-local, multicast. The forms
 * that embed an IPv4 address (mapped, compatible, NAT64, 6to4) are judged by it, and Teredo and documentation refused.
 */
function isPrivateIpv6(text: string): boolean {
  const groups = expandIpv6(text);
  const [first = 0, second = 0, third = 0] = groups;
  const embedded = embeddedIpv4(groups);
  if (embedded !== null) return isPrivateIpv4(embedded);
  if (first === 0x2001 && (second < 0x200 || second === 0xdb8)) return true;
  if (first === 0x2002) return isPrivateIpv4(bytes([second, third]));
  return first >>> 13 !== 1;
}

function embeddedIpv4(groups: readonly number[]): number[] | null {
  const head = groups
    .slice(0, 6)
    .map((group) => group.toString(16))
    .join(":");
  const isEmbedding = head === "0:0:0:0:0:ffff" || head === "0:0:0:0:0:0" || head === "64:ff9b:0:0:0:0";
  return isEmbedding ? bytes(groups.slice(6)) : null;
}

function bytes(groups: readonly number[]): number[] {
  return groups.flatMap((group) => [group >>> 8, group & 0xff]);
}

/** The eight groups of an address that WHATWG URL has serialized: no dotted quad, at most one `::`. */
function expandIpv6(text: string): number[] {
  const [head = "", tail = ""] = text.split("::");
  const left = groupsOf(head);
  const right = groupsOf(tail);
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
}

function groupsOf(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

/**
 * As much of HTTP/2 (RFC 9113) as one small call takes: frames to and from
 * bytes, and header fields without compression.
 *
 * @module
 */

/** RFC 9113 §6. */
export const FRAME = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
} as const;

/** END_STREAM of DATA and HEADERS, ACK of SETTINGS and PING. */
export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;

/** What a client says first. */
export const PREFACE = ascii("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** The largest payload that a peer may send to one that has not asked for more (§4.2). */
const MAX_FRAME_SIZE = 16_384;

const FRAME_HEADER_BYTES = 9;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  /** 0 is the connection. */
  readonly stream: number;
  readonly payload: Uint8Array;
}

/** Writes a frame. Its payload may have at most 16,384 bytes. */
export function encodeFrame({ type, flags, stream, payload }: Frame): Uint8Array {
  const length = payload.length;
  const header = [length >>> 16, length >>> 8, length, type, flags, ...uint32(stream)];
  return concat([Uint8Array.from(header), payload]);
}

export type Decoded =
  | { readonly kind: "frame"; readonly frame: Frame; readonly rest: Uint8Array }
  /** More bytes must come first. */
  | { readonly kind: "partial" }
  /** Longer than this side has allowed. */
  | { readonly kind: "oversized" };

/** Reads the first frame of what has come so far. */
export function decodeFrame(bytes: Uint8Array): Decoded {
  if (bytes.length < FRAME_HEADER_BYTES) return { kind: "partial" };
  const [high = 0, middle = 0, low = 0, type = 0, flags = 0] = bytes;
  const length = (high << 16) | (middle << 8) | low;
  if (length > MAX_FRAME_SIZE) return { kind: "oversized" };
  const end = FRAME_HEADER_BYTES + length;
  if (bytes.length < end) return { kind: "partial" };
  // The first bit is reserved and to be ignored.
  const stream = readUint32(bytes, 5) & 0x7fff_ffff;
  const payload = bytes.subarray(FRAME_HEADER_BYTES, end);
  return { kind: "frame", frame: { type, flags, stream, payload }, rest: bytes.subarray(end) };
}

/** What a DATA frame carries, without its padding (§6.1); `null` where the padding is longer than the frame. */
export function dataOf({ flags, payload }: Frame): Uint8Array | null {
  if ((flags & PADDED) === 0) return payload;
  const end = payload.length - (payload[0] ?? 0);
  return end < 1 ? null : payload.subarray(1, end);
}

/**
 * Writes header fields as HPACK literals without indexing, new name, no
 * Huffman code (RFC 7541 §6.2.2): every decoder reads them, whatever it keeps.
 * Names in lower case; both in ASCII.
 */
export function encodeFields(fields: readonly (readonly [name: string, value: string])[]): Uint8Array {
  return concat(fields.flatMap(([name, value]) => [Uint8Array.of(0), text(name), text(value)]));
}

function text(value: string): Uint8Array {
  return concat([prefixed(value.length), ascii(value)]);
}

/** An integer with a prefix of seven bits (RFC 7541 §5.1). */
function prefixed(value: number): Uint8Array {
  if (value < 0x7f) return Uint8Array.of(value);
  return concat([Uint8Array.of(0x7f), varint(value - 0x7f)]);
}

/** Seven bits a byte, the least first, the eighth telling that more follow: HPACK's and Protocol Buffers' alike. */
export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

/** The bytes of a text in ASCII. */
export function ascii(value: string): Uint8Array {
  return Uint8Array.from(value, (character) => character.charCodeAt(0));
}

/** Four bytes, the greatest first. */
export function uint32(value: number): readonly number[] {
  return [value >>> 24, value >>> 16, value >>> 8, value];
}

/** Reads four bytes; those beyond the end count as zero. */
export function readUint32(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = bytes.subarray(at, at + 4);
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/** One after another. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

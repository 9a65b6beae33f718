/**
 * The little of DER (ITU-T X.690) that the certificate library leaves to its
 * users: values of tag, length and content.
 *
 * @module
 */

/** One value: its tag's octet and its content. */
export interface DerValue {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** Writes a value; several contents are one after another. Tags above 30 are not written. */
export function writeDer(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const length = contents.reduce((sum, content) => sum + content.length, 0);
  const head = [tag, ...lengthOctets(length)];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let offset = head.length;
  for (const content of contents) {
    bytes.set(content, offset);
    offset += content.length;
  }
  return bytes;
}

/** Reads values that stand one after another; `null` when anything is left over, cut short or of indefinite length. */
export function readDer(bytes: Uint8Array): DerValue[] | null {
  const values: DerValue[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const head = readHead(bytes, offset);
    if (head === null || head.end > bytes.length) return null;
    values.push({ tag: head.tag, content: bytes.subarray(head.start, head.end) });
    offset = head.end;
  }
  return values;
}

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

function readHead(bytes: Uint8Array, offset: number): { tag: number; start: number; end: number } | null {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return null;
  if (first < 0x80) return { tag, start: offset + 2, end: offset + 2 + first };
  const count = first & 0x7f;
  // Two octets of length are 64 KiB, more than any extension has.
  if (count < 1 || count > 2) return null;
  const start = offset + 2 + count;
  if (start > bytes.length) return null;
  const length = bytes.subarray(offset + 2, start).reduce((sum, octet) => sum * 256 + octet, 0);
  return { tag, start, end: start + length };
}

/**
 * Name constraints (RFC 5280 §4.2.1.10) on URIs: for which trust domains a
 * certificate authority may vouch.
 *
 * @module
 */
import { readDer, writeDer } from "./der.ts";

const SEQUENCE = 0x30;
const PERMITTED = 0xa0;
const EXCLUDED = 0xa1;
/** A general name that is a URI; in a constraint, its host. */
const URI = 0x86;

/** The extension's value that permits URIs of one host and no other. */
export function permitHost(host: string): Uint8Array {
  const base = writeDer(URI, new TextEncoder().encode(host));
  return writeDer(SEQUENCE, writeDer(PERMITTED, writeDer(SEQUENCE, base)));
}

/** Whether the extension's value lets URIs of a host pass. One that cannot be read lets nothing pass. */
export function permitsHost(value: Uint8Array, host: string): boolean {
  const [outer] = readDer(value) ?? [];
  const lists = outer?.tag === SEQUENCE ? readDer(outer.content) : null;
  if (lists === null) return false;
  const permitted: string[] = [];
  const excluded: string[] = [];
  for (const { tag, content } of lists) {
    const hosts = hostsOf(content);
    if (hosts === null || (tag !== PERMITTED && tag !== EXCLUDED)) return false;
    (tag === PERMITTED ? permitted : excluded).push(...hosts);
  }
  const covers = (constraint: string): boolean => isCovered(host, constraint);
  // A list without URIs says nothing of URIs.
  return !excluded.some(covers) && (permitted.length === 0 || permitted.some(covers));
}

/** The URI constraints of a list of subtrees; `null` when it cannot be read. */
function hostsOf(subtrees: Uint8Array): string[] | null {
  const hosts: string[] = [];
  for (const { tag, content } of readDer(subtrees) ?? [{ tag: 0, content: new Uint8Array() }]) {
    const [base] = tag === SEQUENCE ? (readDer(content) ?? []) : [];
    if (base === undefined) return null;
    if (base.tag === URI) hosts.push(new TextDecoder().decode(base.content).toLowerCase());
  }
  return hosts;
}

/** A constraint that begins with a dot covers hosts below it, any other exactly itself. */
function isCovered(host: string, constraint: string): boolean {
  return constraint.startsWith(".") ? host.endsWith(constraint) : host === constraint;
}

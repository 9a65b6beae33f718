/**
 * X509-SVIDs that a client has shown to the platform: who it is, by the
 * mesh's own roots. The platform has checked the handshake, and knows more
 * authorities than the mesh's; a session that was resumed may even have been
 * opened elsewhere. So the whole chain is verified here once more.
 *
 * @module
 */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import type { Millis } from "../engine/time.ts";
import { BACKDATED_MS } from "./certificate.ts";
import { permitsHost } from "./name-constraints.ts";
import { parseSpiffeId } from "./spiffe.ts";
import type { SpiffeId } from "./spiffe.ts";
import { thumbprintOf } from "./thumbprint.ts";
import { CLOCK_SKEW_MS } from "./token.ts";

/** What the platform hands over of a client's certificate: DER in base64. */
export interface ShownChain {
  readonly leaf: string;
  /** Whatever else the client has sent, in its order: intermediates, maybe its root. */
  readonly chain: readonly string[];
}

export interface ChainContext {
  /** Root certificates of the mesh, DER in base64. */
  readonly roots: readonly string[];
  readonly trustDomain: string;
  readonly now: Millis;
}

/** A workload's certificate that leads to a root of the mesh. */
export interface ProvedCertificate {
  readonly id: SpiffeId;
  /** In hex, in lower case. */
  readonly serial: string;
  /** By which tokens are bound to it. */
  readonly thumbprint: string;
  readonly issuedAt: Millis;
  /** When the first certificate of the chain ends. */
  readonly expiresAt: Millis;
}

/** Authorities between leaf and root that are followed: ours have one, and one more while a root is replaced. */
const MAX_DEPTH = 4;

/** Certificates of a client that are looked at. */
const MAX_SHOWN = 8;

const NAME_CONSTRAINTS = "2.5.29.30";

/** Extensions that may be critical, since they are looked at here. */
const UNDERSTOOD: readonly string[] = ["2.5.29.15", "2.5.29.17", "2.5.29.19", NAME_CONSTRAINTS, "2.5.29.37"];

const CERTIFY = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;

/** Reads and verifies a chain, or tells in a sentence why it proves nobody. Never throws. */
export async function proveChain(
  shown: ShownChain,
  context: ChainContext,
): Promise<ProvedCertificate | { readonly refusal: string }> {
  try {
    if (shown.chain.length > MAX_SHOWN) return { refusal: "the chain has too many certificates" };
    const leaf = new x509.X509Certificate(shown.leaf);
    const id = subjectOf(leaf, context.trustDomain);
    if (typeof id === "string") return { refusal: id };
    const others = shown.chain.map((each) => new x509.X509Certificate(each));
    const roots = context.roots.map((each) => new x509.X509Certificate(each));
    const chain = await climb(leaf, others, roots);
    if (chain === null) return { refusal: "the certificate does not lead to a root of this mesh" };
    if (!chain.every((each) => isUnderstood(each, context.trustDomain))) {
      return {
        refusal: "a certificate of the chain is limited to other names, or in a way that is not known",
      };
    }
    if (!chain.every((each) => isInTime(each, context.now))) {
      return { refusal: "a certificate of the chain has expired, or is not valid yet" };
    }
    return {
      id,
      serial: leaf.serialNumber.toLowerCase(),
      thumbprint: await thumbprintOf(shown.leaf),
      issuedAt: leaf.notBefore.getTime() + BACKDATED_MS,
      expiresAt: Math.min(...chain.map(({ notAfter }) => notAfter.getTime())),
    };
  } catch {
    // What cannot be read proves nobody, whatever is wrong with it.
    return { refusal: "a certificate of the chain cannot be read" };
  }
}

/** The workload that a leaf names as SPIFFE asks for it (X509-SVID §4, §5.2); a sentence when it does not. */
function subjectOf(leaf: x509.X509Certificate, trustDomain: string): SpiffeId | string {
  const isAuthority = leaf.getExtension(x509.BasicConstraintsExtension)?.ca === true;
  const usages = leaf.getExtension(x509.KeyUsagesExtension)?.usages ?? 0;
  if (isAuthority || (usages & CERTIFY) !== 0) return "the certificate is an authority's, not a workload's";
  const purposes = leaf.getExtension(x509.ExtendedKeyUsageExtension)?.usages;
  if (purposes !== undefined && !purposes.includes(x509.ExtendedKeyUsage.clientAuth))
    return "the certificate is not for clients";
  const names = leaf.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
  const [uri, ...further] = names.filter(({ type }) => type === "url");
  if (uri === undefined || further.length > 0) return "the certificate does not have exactly one URI";
  const id = parseSpiffeId(uri.value);
  return id?.trustDomain === trustDomain ? id : "the certificate names no workload of this mesh";
}

/** The certificates from the leaf to a root of ours, each signed by the next; `null` when there is no such way. */
async function climb(
  leaf: x509.X509Certificate,
  others: readonly x509.X509Certificate[],
  roots: readonly x509.X509Certificate[],
): Promise<readonly x509.X509Certificate[] | null> {
  const chain = [leaf];
  for (let top = leaf; chain.length <= MAX_DEPTH; chain.push(top)) {
    const root = await issuerOf(top, roots, chain.length);
    if (root !== null) return [...chain, root];
    const next = await issuerOf(top, others, chain.length);
    if (next === null || chain.includes(next)) return null;
    top = next;
  }
  return null;
}

/** Who of the candidates has signed a certificate, as an authority that may have `depth` certificates below it. */
async function issuerOf(
  certificate: x509.X509Certificate,
  candidates: readonly x509.X509Certificate[],
  depth: number,
): Promise<x509.X509Certificate | null> {
  for (const candidate of candidates) {
    const { subject, publicKey } = candidate;
    if (subject !== certificate.issuer || !mayIssue(candidate, depth)) continue;
    if (await certificate.verify({ publicKey, signatureOnly: true })) return candidate;
  }
  return null;
}

function mayIssue(authority: x509.X509Certificate, depth: number): boolean {
  const constraints = authority.getExtension(x509.BasicConstraintsExtension);
  const usages = authority.getExtension(x509.KeyUsagesExtension)?.usages ?? 0;
  if (constraints?.ca !== true || (usages & x509.KeyUsageFlags.keyCertSign) === 0) return false;
  return constraints.pathLength === undefined || constraints.pathLength >= depth - 1;
}

function isInTime({ notBefore, notAfter }: x509.X509Certificate, now: Millis): boolean {
  return notBefore.getTime() <= now + CLOCK_SKEW_MS && now < notAfter.getTime();
}

function isUnderstood({ extensions }: x509.X509Certificate, trustDomain: string): boolean {
  return extensions.every(({ type, critical, value }) =>
    type === NAME_CONSTRAINTS
      ? permitsHost(new Uint8Array(value), trustDomain)
      : !critical || UNDERSTOOD.includes(type),
  );
}

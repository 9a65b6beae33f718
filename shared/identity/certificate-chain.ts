/**
 * An intermediate that another authority has issued, with the chain up to its
 * root: may this mesh sign with it?
 *
 * @module
 */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import type { Millis } from "../engine/time.ts";
import type { PrivateJwk } from "./key.ts";
import { isPrivateJwk } from "./key.ts";
import { permitsHost } from "./name-constraints.ts";
import { readPem } from "./pem.ts";

/** An intermediate to sign with. Certificates are DER in base64. */
export interface Upstream {
  /** The intermediate itself, then those above it, without the root. */
  readonly chain: readonly string[];
  readonly root: string;
  readonly privateJwk: PrivateJwk;
}

export interface UpstreamDocuments {
  /** PEM: the intermediate, then its issuer, and so on up to a self-signed root. */
  readonly chain: string;
  /** PEM: the intermediate's key, PKCS #8, not encrypted. */
  readonly key: string;
}

/** Roots and intermediates at most: public authorities use two or three. */
const MAX_CHAIN = 6;

/** What is loaded should last: a day, the usual life of a leaf. */
const MIN_LEFT_MS: Millis = 86_400_000;

const KEY_CERT_SIGN = x509.KeyUsageFlags.keyCertSign;
const NAME_CONSTRAINTS = "2.5.29.30";

/** Extensions that are understood here, so that they may be critical: those of RFC 5280 that an authority has. */
const UNDERSTOOD: readonly string[] = [
  "2.5.29.14",
  "2.5.29.15",
  "2.5.29.17",
  "2.5.29.19",
  NAME_CONSTRAINTS,
  "2.5.29.35",
  "2.5.29.37",
];

/** Reads and checks it, or tells in a sentence what is wrong. */
export async function readUpstream(
  documents: UpstreamDocuments,
  trustDomain: string,
  now: Millis,
): Promise<Upstream | { readonly refusal: string }> {
  try {
    const certificates = readCertificates(documents.chain);
    const refusal = await judge(certificates, trustDomain, now);
    if (refusal !== null) return { refusal };
    const privateJwk = await readKey(documents.key);
    const [first] = certificates;
    if (privateJwk === null || first === undefined) {
      return { refusal: "key: write one PEM block, BEGIN PRIVATE KEY, of ECDSA on P-256" };
    }
    if (!(await isKeyOf(privateJwk, first))) return { refusal: "key: it is not the first certificate's" };
    const encoded = certificates.map((certificate) => certificate.toString("base64"));
    return { chain: encoded.slice(0, -1), root: encoded.at(-1) ?? "", privateJwk };
  } catch {
    // What is malformed, and what the library does not know, is refused alike.
    return { refusal: "chain: a certificate cannot be read" };
  }
}

function readCertificates(pem: string): x509.X509Certificate[] {
  return readPem(pem)
    .filter(({ label }) => label === "CERTIFICATE")
    .map(({ base64 }) => new x509.X509Certificate(base64));
}

async function judge(
  certificates: readonly x509.X509Certificate[],
  trustDomain: string,
  now: Millis,
): Promise<string | null> {
  if (certificates.length < 2 || certificates.length > MAX_CHAIN) {
    return `chain: write the intermediate, its issuers and the root, 2 to ${MAX_CHAIN} certificates`;
  }
  for (const [below, certificate] of certificates.entries()) {
    const refusal =
      judgeOne(certificate, below, now) ??
      judgeNames(certificate, trustDomain) ??
      (await judgeSignature(certificate, certificates[below + 1] ?? certificate));
    if (refusal !== null) return `chain: certificate ${below + 1} (${certificate.subject}) ${refusal}`;
  }
  return null;
}

/** `below` counts the authorities between the certificate and a leaf. */
function judgeOne(certificate: x509.X509Certificate, below: number, now: Millis): string | null {
  const { notBefore, notAfter } = certificate;
  if (notBefore.getTime() > now) return "is not valid yet";
  if (notAfter.getTime() <= now + MIN_LEFT_MS) return "expires within a day";
  const constraints = certificate.getExtension(x509.BasicConstraintsExtension);
  if (constraints?.ca !== true) return "is no authority: CA:TRUE is missing";
  if (constraints.pathLength !== undefined && constraints.pathLength < below) {
    return "allows fewer authorities below it than there are";
  }
  const usage = certificate.getExtension(x509.KeyUsagesExtension);
  if (usage === null || (usage.usages & KEY_CERT_SIGN) === 0) return "may not sign certificates";
  const purposes = certificate.getExtension(x509.ExtendedKeyUsageExtension)?.usages;
  const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
  if (purposes !== undefined && ![clientAuth, serverAuth].every((purpose) => purposes.includes(purpose))) {
    return "may not be used for both clients and servers";
  }
  const strange = certificate.extensions.find(({ critical, type }) => critical && !UNDERSTOOD.includes(type));
  return strange === undefined ? null : `has an unknown critical extension, ${strange.type}`;
}

function judgeNames(certificate: x509.X509Certificate, trustDomain: string): string | null {
  const constraints = certificate.getExtension(NAME_CONSTRAINTS);
  if (constraints === null) return null;
  const isPermitted = permitsHost(new Uint8Array(constraints.value), trustDomain);
  return isPermitted ? null : `may not vouch for spiffe://${trustDomain}: see its name constraints`;
}

async function judgeSignature(
  certificate: x509.X509Certificate,
  issuer: x509.X509Certificate,
): Promise<string | null> {
  if (certificate.issuer !== issuer.subject) {
    return issuer === certificate
      ? "is last and not self-signed: add the root"
      : "is not issued by the one after it";
  }
  const isSigned = await certificate.verify({ publicKey: issuer.publicKey, signatureOnly: true });
  return isSigned ? null : "has a signature that does not match";
}

/** The key as a JWK; `null` when it is no P-256 key in PKCS #8. */
async function readKey(pem: string): Promise<PrivateJwk | null> {
  const [block, ...others] = readPem(pem);
  if (block?.label !== "PRIVATE KEY" || others.length > 0) return null;
  try {
    const bytes = Uint8Array.from(atob(block.base64), (character) => character.charCodeAt(0));
    const curve = { name: "ECDSA", namedCurve: "P-256" };
    const key = await crypto.subtle.importKey("pkcs8", bytes, curve, true, ["sign"]);
    const jwk = await crypto.subtle.exportKey("jwk", key);
    if (!isPrivateJwk(jwk)) return null;
    const { x, y, d } = jwk;
    return { kty: "EC", crv: "P-256", x, y, d };
  } catch {
    // Another curve, another algorithm or no key at all: to the caller it is all the same.
    return null;
  }
}

async function isKeyOf(key: PrivateJwk, certificate: x509.X509Certificate): Promise<boolean> {
  const jwk: unknown = await crypto.subtle.exportKey("jwk", await certificate.publicKey.export());
  const { x, y }: { x?: unknown; y?: unknown } = typeof jwk === "object" && jwk !== null ? jwk : {};
  return x === key.x && y === key.y;
}

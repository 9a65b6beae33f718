/** Certificate requests as workloads make them, and chains as peers follow them. */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import type { CryptoKey } from "jose";

export interface Keys {
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
}

export interface Requested {
  readonly csr: string;
  readonly keys: Keys;
}

/** A key pair for ECDSA that can be exported. */
export async function generate(namedCurve: string): Promise<Keys> {
  const keys = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve }, true, ["sign", "verify"]);
  if (!("privateKey" in keys)) throw new Error("no key pair");
  return keys;
}

/** A request for a key of its own; what it wishes to be called is not meant to count. */
export async function makeRequest(
  curve = "P-256",
  names: x509.JsonGeneralNames = [{ type: "url", value: "spiffe://evil.test/ns/root/sa/admin" }],
): Promise<Requested> {
  const keys = await generate(curve);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: "CN=admin",
    keys,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [
      new x509.SubjectAlternativeNameExtension(names),
      new x509.BasicConstraintsExtension(true, 3, true),
    ],
  });
  return { csr: request.toString("pem"), keys };
}

/**
 * Whether a peer that trusts these roots believes a leaf that comes with this
 * chain, at an instant. Every certificate must lie in its time and be signed
 * by the next, and the last by a root. All are DER in base64.
 */
export async function isBelieved(
  { certificate, chain }: { readonly certificate: string; readonly chain: readonly string[] },
  roots: readonly string[],
  now: number,
): Promise<boolean> {
  const path = [...chain, ...roots].map((encoded) => new x509.X509Certificate(encoded));
  let current: x509.X509Certificate | undefined = new x509.X509Certificate(certificate);
  while (current !== undefined) {
    const { notBefore, notAfter }: x509.X509Certificate = current;
    if (notBefore.getTime() > now || notAfter.getTime() < now) return false;
    if (roots.includes(current.toString("base64"))) return true;
    current = await issuerOf(current, path, roots);
  }
  return false;
}

/** A root that is trusted comes first, whoever else vouches for it. */
async function issuerOf(
  below: x509.X509Certificate,
  path: readonly x509.X509Certificate[],
  roots: readonly string[],
): Promise<x509.X509Certificate | undefined> {
  const isRoot = (certificate: x509.X509Certificate) => roots.includes(certificate.toString("base64"));
  for (const candidate of path.toSorted((a, b) => Number(isRoot(b)) - Number(isRoot(a)))) {
    if (candidate.subject !== below.issuer || candidate.toString("base64") === below.toString("base64"))
      continue;
    if (await below.verify({ publicKey: candidate.publicKey, signatureOnly: true })) return candidate;
  }
  return undefined;
}

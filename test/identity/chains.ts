/** Authorities, and certificates as they, or forgers, could make them. */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import type { CryptoKey } from "jose";
import {
  makeIntermediate,
  makeLeaf,
  makeRoot,
  newSerial,
  type Signer,
} from "../../shared/identity/certificate.ts";
import { generateSigningKey, importSigningKey } from "../../shared/identity/key.ts";
import { generate } from "./requests.ts";

export interface Authority {
  readonly root: string;
  readonly intermediate: Signer;
}

/** An authority as the mesh has one. */
export async function makeAuthority(trustDomain: string, now: number): Promise<Authority> {
  const [rootKey, key] = [await generateSigningKey(), await generateSigningKey()];
  const root = { certificate: await makeRoot(trustDomain, rootKey, now), privateJwk: rootKey.privateJwk };
  const certificate = await makeIntermediate(trustDomain, key, root, now);
  return { root: root.certificate, intermediate: { certificate, privateJwk: key.privateJwk } };
}

/** A leaf as the mesh issues it, for an hour. */
export async function makeSvid(subject: string, signer: Signer, issuedAt: number): Promise<string> {
  const claims = { subject, publicKey: await newKey(), serial: newSerial(), issuedAt };
  return makeLeaf({ ...claims, expiresAt: issuedAt + 3_600_000 }, signer);
}

/** A certificate that an authority should not have signed. */
export interface Oddity {
  readonly names: readonly { readonly type: "url" | "dns" | "email"; readonly value: string }[];
  readonly subject?: string;
  readonly isAuthority?: boolean;
  readonly usages?: number;
  readonly purposes?: readonly string[];
  readonly extensions?: readonly x509.Extension[];
}

/** Signs it all the same. */
export async function makeOddity(oddity: Oddity, signer: Signer, now: number): Promise<string> {
  const { names, subject = "", isAuthority = false, extensions = [] } = oddity;
  const { usages = x509.KeyUsageFlags.digitalSignature, purposes = [x509.ExtendedKeyUsage.clientAuth] } =
    oddity;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject,
    issuer: new x509.X509Certificate(signer.certificate).subject,
    notBefore: new Date(now - 60_000),
    notAfter: new Date(now + 3_600_000),
    publicKey: await newKey(),
    signingKey: await importSigningKey(signer.privateJwk),
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [
      new x509.BasicConstraintsExtension(isAuthority, undefined, true),
      new x509.KeyUsagesExtension(usages, true),
      ...(purposes.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension([...purposes])]),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension([...names], subject === "")]),
      ...extensions,
    ],
  });
  return certificate.toString("base64");
}

async function newKey(): Promise<x509.PublicKey> {
  const { publicKey }: { publicKey: CryptoKey } = await generate("P-256");
  return new x509.PublicKey(await crypto.subtle.exportKey("spki", publicKey));
}

/**
 * X.509 certificates of the mesh (RFC 5280, SPIFFE X509-SVID): roots,
 * intermediates, and the leaves that name workloads.
 *
 * Loads the certificate library, which is large: whoever is on a request's
 * path must not import this module, and the authority does so when it is first
 * asked for a certificate.
 *
 * @module
 */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import type { CryptoKey } from "jose";
import type { Millis } from "../engine/time.ts";
import { importSigningKey } from "./key.ts";
import type { KeyPair, PrivateJwk } from "./key.ts";
import { permitHost } from "./name-constraints.ts";
import { meshAudience } from "./spiffe.ts";

const DAY_MS: Millis = 86_400_000;

/** Ten years: a root changes with every verifier, and so as seldom as Linkerd and Consul advise. */
export const ROOT_LIFE_MS: Millis = 3_653 * DAY_MS;

/** One year, as Consul's intermediates. */
export const INTERMEDIATE_LIFE_MS: Millis = 365 * DAY_MS;

/** How far `notBefore` lies in the past, for verifiers whose clock is behind: a minute. */
export const BACKDATED_MS: Millis = 60_000;

/** Who signs certificates: its own certificate (DER in base64) and the key that belongs to it. */
export interface Signer {
  readonly certificate: string;
  readonly privateJwk: PrivateJwk;
}

/** A key that a workload has proved to hold. */
export type SubjectKey = x509.PublicKey;

export interface LeafClaims {
  /** SPIFFE id of the workload: the only name in the certificate. */
  readonly subject: string;
  readonly publicKey: SubjectKey;
  /** In hex: what `newSerial` answers. */
  readonly serial: string;
  readonly issuedAt: Millis;
  readonly expiresAt: Millis;
}

const NAME_CONSTRAINTS = "2.5.29.30";
const ES256 = { name: "ECDSA", hash: "SHA-256" } as const;
const CERTIFY = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;

/** A serial number of 16 octets, 126 of its bits random: positive and always of the same length. */
export function newSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return hex(bytes.buffer);
}

/** Makes a self-signed root for a trust domain. Its name says when it was made, so that two are never taken for one. */
export async function makeRoot(trustDomain: string, key: KeyPair, now: Millis): Promise<string> {
  const name = `O=Selvedge, CN=${nameOf("root", key)}`;
  return sign(
    {
      subject: name,
      issuer: name,
      publicKey: key.publicJwk,
      notBefore: now - BACKDATED_MS,
      notAfter: now + ROOT_LIFE_MS,
      extensions: authorityExtensions(trustDomain, null),
    },
    key.privateJwk,
    null,
  );
}

/** Makes an intermediate below a root. It may sign leaves only, only for the trust domain, and never outlives the root. */
export async function makeIntermediate(
  trustDomain: string,
  key: KeyPair,
  root: Signer,
  now: Millis,
): Promise<string> {
  const parent = new x509.X509Certificate(root.certificate);
  return sign(
    {
      subject: `O=Selvedge, CN=${nameOf("intermediate", key)}`,
      issuer: parent.subject,
      publicKey: key.publicJwk,
      notBefore: now - BACKDATED_MS,
      notAfter: Math.min(now + INTERMEDIATE_LIFE_MS, parent.notAfter.getTime()),
      extensions: [
        ...authorityExtensions(trustDomain, 0),
        new x509.Extension(NAME_CONSTRAINTS, true, permitHost(trustDomain)),
      ],
    },
    root.privateJwk,
    parent,
  );
}

/**
 * Certifies a new root by an old one: same name, same key, another issuer.
 * Whoever knows only the old root can follow it to what the new one signed.
 */
export async function crossSign(trustDomain: string, root: string, by: Signer, now: Millis): Promise<string> {
  const [young, old] = [new x509.X509Certificate(root), new x509.X509Certificate(by.certificate)];
  return sign(
    {
      subject: young.subject,
      issuer: old.subject,
      publicKey: young.publicKey,
      notBefore: now - BACKDATED_MS,
      notAfter: Math.min(young.notAfter.getTime(), old.notAfter.getTime()),
      extensions: authorityExtensions(trustDomain, 1),
    },
    by.privateJwk,
    old,
  );
}

/**
 * Signs an X509-SVID: one SPIFFE id as its only name, no common name, a key
 * for signing, for clients and servers alike, and no authority to sign others.
 */
export async function makeLeaf(claims: LeafClaims, by: Signer): Promise<string> {
  const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
  const parent = new x509.X509Certificate(by.certificate);
  return sign(
    {
      serial: claims.serial,
      subject: "",
      issuer: parent.subject,
      publicKey: claims.publicKey,
      notBefore: claims.issuedAt - BACKDATED_MS,
      notAfter: claims.expiresAt,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([serverAuth, clientAuth]),
        // Critical where there is no subject (RFC 5280 §4.2.1.6).
        new x509.SubjectAlternativeNameExtension([{ type: "url", value: claims.subject }], true),
      ],
    },
    by.privateJwk,
    parent,
  );
}

/** When a certificate (DER in base64) begins and ceases to count. */
export function validityOf(certificate: string): { readonly notBefore: Millis; readonly notAfter: Millis } {
  const { notBefore, notAfter } = new x509.X509Certificate(certificate);
  return { notBefore: notBefore.getTime(), notAfter: notAfter.getTime() };
}

/** SHA-256 of a certificate (DER in base64), in hex: what `openssl x509 -fingerprint -sha256` tells, without colons. */
export async function fingerprintOf(certificate: string): Promise<string> {
  return hex(await new x509.X509Certificate(certificate).getThumbprint("SHA-256"));
}

/** The public key of a certificate as a JWK, with the members that RFC 7517 knows for its kind and no other. */
export async function publicJwkOf(certificate: string): Promise<Readonly<Record<string, string>>> {
  const key = await new x509.X509Certificate(certificate).publicKey.export();
  const jwk: unknown = await crypto.subtle.exportKey("jwk", key);
  const members = ["kty", "crv", "x", "y", "n", "e"];
  const entries = Object.entries(typeof jwk === "object" && jwk !== null ? jwk : {});
  return Object.fromEntries(
    entries.filter(([name, value]) => members.includes(name) && typeof value === "string"),
  );
}

interface Draft {
  /** In hex; a new one unless given. */
  readonly serial?: string;
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: KeyPair["publicJwk"] | SubjectKey;
  readonly notBefore: Millis;
  readonly notAfter: Millis;
  readonly extensions: readonly x509.Extension[];
}

/** Signs with the key of `parent`, or of the certificate itself where there is none. */
async function sign(draft: Draft, by: PrivateJwk, parent: x509.X509Certificate | null): Promise<string> {
  const publicKey = "kid" in draft.publicKey ? await importPublic(draft.publicKey) : draft.publicKey;
  const identifier = await x509.SubjectKeyIdentifierExtension.create(publicKey);
  const authority = parent === null ? identifier.keyId : await identifierOf(parent);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: draft.serial ?? newSerial(),
    subject: draft.subject,
    issuer: draft.issuer,
    notBefore: new Date(draft.notBefore),
    notAfter: new Date(draft.notAfter),
    publicKey,
    signingKey: await importSigningKey(by),
    signingAlgorithm: ES256,
    extensions: [...draft.extensions, identifier, new x509.AuthorityKeyIdentifierExtension(authority)],
  });
  return certificate.toString("base64");
}

async function importPublic({ kty, crv, x, y }: KeyPair["publicJwk"]): Promise<CryptoKey> {
  const curve = { name: "ECDSA", namedCurve: crv };
  return crypto.subtle.importKey("jwk", { kty, crv, x, y }, curve, true, ["verify"]);
}

/** As the certificate says it; another authority may have derived it in another way than we do. */
async function identifierOf(certificate: x509.X509Certificate): Promise<string> {
  const told = certificate.getExtension(x509.SubjectKeyIdentifierExtension);
  return told?.keyId ?? (await x509.SubjectKeyIdentifierExtension.create(certificate.publicKey)).keyId;
}

function authorityExtensions(trustDomain: string, pathLength: number | null): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(true, pathLength ?? undefined, true),
    new x509.KeyUsagesExtension(CERTIFY, true),
    // A signing certificate is named after its trust domain, without a path (X509-SVID §4.1).
    new x509.SubjectAlternativeNameExtension([{ type: "url", value: meshAudience(trustDomain) }]),
  ];
}

function nameOf(what: string, { kid }: KeyPair): string {
  return `Selvedge ${what} ${kid.replaceAll(/[^A-Za-z0-9]/g, "").slice(0, 12)}`;
}

function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

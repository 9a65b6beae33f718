/** Intermediates of another authority, right and wrong. */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import type { CryptoKey } from "jose";
import { permitHost } from "../../shared/identity/name-constraints.ts";
import { writePem } from "../../shared/identity/pem.ts";
import type { UpstreamDocuments } from "../../shared/identity/certificate-chain.ts";
import { generate } from "./requests.ts";

export interface Wishes {
  readonly now: number;
  readonly trustDomain: string;
  readonly lifeMs?: number;
  readonly notBefore?: number;
  readonly curve?: string;
  readonly isAuthority?: boolean;
  readonly pathLength?: number | null;
  readonly rootPathLength?: number;
  readonly usage?: number;
  readonly purposes?: readonly string[];
  readonly permitted?: string;
  readonly strange?: boolean;
}

export interface Upstream {
  readonly documents: UpstreamDocuments;
  /** DER in base64. */
  readonly root: string;
  /** Another intermediate of the same root. */
  renew(now: number): Promise<UpstreamDocuments>;
}

const SIGNING = { name: "ECDSA", hash: "SHA-256" };
const YEAR = 31_536_000_000;

/** An authority with a root and an intermediate; wishes make the intermediate wrong in one way or another. */
export async function makeUpstream(wishes: Wishes): Promise<Upstream> {
  const rootKeys = await generate("P-384");
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=Corporate root",
    keys: rootKeys,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-384" },
    notBefore: new Date(wishes.now - 1000),
    notAfter: new Date(wishes.now + 5 * YEAR),
    extensions: [
      new x509.BasicConstraintsExtension(true, wishes.rootPathLength, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const make = (now: number) => makeIntermediate({ ...wishes, now }, root, rootKeys.privateKey);
  return { documents: await make(wishes.now), root: root.toString("base64"), renew: make };
}

async function makeIntermediate(
  wishes: Wishes,
  root: x509.X509Certificate,
  signingKey: CryptoKey,
): Promise<UpstreamDocuments> {
  const { now, lifeMs = YEAR, isAuthority = true, pathLength = 0 } = wishes;
  const keys = await generate(wishes.curve ?? "P-256");
  const intermediate = await x509.X509CertificateGenerator.create({
    subject: "CN=Mesh intermediate",
    issuer: root.subject,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: { ...SIGNING, hash: "SHA-384" },
    notBefore: new Date(wishes.notBefore ?? now - 1000),
    notAfter: new Date(now + lifeMs),
    extensions: [
      new x509.BasicConstraintsExtension(isAuthority, pathLength ?? undefined, true),
      new x509.KeyUsagesExtension(wishes.usage ?? x509.KeyUsageFlags.keyCertSign, true),
      ...(wishes.purposes === undefined ? [] : [new x509.ExtendedKeyUsageExtension([...wishes.purposes])]),
      ...(wishes.permitted === undefined
        ? []
        : [new x509.Extension("2.5.29.30", true, permitHost(wishes.permitted))]),
      ...(wishes.strange === true ? [new x509.Extension("1.2.3.4", true, new Uint8Array([5, 0]))] : []),
    ],
  });
  const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  if (!(key instanceof ArrayBuffer)) throw new Error("no PKCS #8");
  return {
    chain: intermediate.toString("pem") + "\n" + root.toString("pem"),
    key: writePem("PRIVATE KEY", btoa(String.fromCharCode(...new Uint8Array(key)))),
  };
}

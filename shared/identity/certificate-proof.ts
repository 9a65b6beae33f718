/**
 * A certificate as a proof of who asks, without a TLS session that could show
 * it: a short assertion (JWT) that is signed with its key, has the certificate
 * in `x5c` (RFC 7515 §4.1.6), and holds for one request only.
 *
 * @module
 */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { base64url, decodeProtectedHeader, jwtVerify } from "jose";
import type { Millis } from "../engine/time.ts";
import { BACKDATED_MS } from "./certificate.ts";
import { meshAudience, parseSpiffeId } from "./spiffe.ts";
import type { SpiffeId } from "./spiffe.ts";
import { thumbprintOf } from "./thumbprint.ts";
import { CLOCK_SKEW_MS } from "./token.ts";

/** The longest assertion that is read, in characters. */
const MAX_ASSERTION_LENGTH = 8_192;

/** The longest life of an assertion, in seconds: it is made for one request. */
const MAX_LIFE_SECONDS = 60;

const ALGORITHMS = ["ES256", "ES384", "ES512"];

/** Who asked, by which certificate. */
export interface CertificateProof {
  readonly id: SpiffeId;
  readonly serial: string;
  readonly thumbprint: string;
  readonly issuedAt: Millis;
}

export interface ProofContext {
  /** Certificates (DER in base64) of all intermediates whose leaves may be valid. */
  readonly intermediates: readonly string[];
  readonly trustDomain: string;
  /** What the assertion must be made for: `requestHash` of the request that it came with. */
  readonly requestHash: string;
  readonly now: Millis;
}

/** What is asked for with an assertion. */
export interface ProvedRequest {
  readonly csr?: string | undefined;
  readonly audience?: string | undefined;
  readonly isBound?: boolean | undefined;
}

/**
 * What an assertion is bound to (claim `rqh`): SHA-256 of what is asked for,
 * line by line, in base64url. Whether the token is to be bound is a third
 * line: who catches the request cannot have it answered with a token that is
 * good without the certificate.
 */
export async function requestHash({ csr = "", audience = "", isBound }: ProvedRequest): Promise<string> {
  const lines = [csr, audience, ...(isBound === true ? ["bound"] : [])];
  const bytes = new TextEncoder().encode(lines.join("\n"));
  return base64url.encode(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/**
 * Decides whom an assertion proves, or tells in a sentence why nobody. The
 * certificate must be a leaf that an intermediate of the mesh has signed and
 * that has not expired; whether it was revoked is for the caller to know.
 */
export async function readProof(
  assertion: string,
  context: ProofContext,
): Promise<CertificateProof | { readonly refusal: string }> {
  if (assertion.length > MAX_ASSERTION_LENGTH) return { refusal: "the assertion is longer than 8 KiB" };
  try {
    const leaf = readLeaf(assertion);
    const id = leaf === null ? null : nameOf(leaf, context.trustDomain);
    if (leaf === null || id === null) return { refusal: "x5c does not hold one certificate of a workload" };
    if (!isInTime(leaf, context.now)) return { refusal: "the certificate has expired: join anew" };
    if (!(await isOurs(leaf, context.intermediates))) {
      return { refusal: "the certificate is not of this mesh" };
    }
    const refusal = await judgeAssertion(assertion, leaf, context);
    if (refusal !== null) return { refusal };
    return {
      id,
      serial: leaf.serialNumber,
      thumbprint: await thumbprintOf(leaf.toString("base64")),
      issuedAt: leaf.notBefore.getTime() + BACKDATED_MS,
    };
  } catch {
    // What is malformed, and what does not verify, proves nothing alike.
    return { refusal: "the assertion is malformed, or not signed with the certificate's key" };
  }
}

function readLeaf(assertion: string): x509.X509Certificate | null {
  const { x5c } = decodeProtectedHeader(assertion);
  const [first, ...others] = x5c ?? [];
  return first === undefined || others.length > 0 ? null : new x509.X509Certificate(first);
}

/** The only name of a certificate that is no authority's. */
function nameOf(leaf: x509.X509Certificate, trustDomain: string): SpiffeId | null {
  if (leaf.getExtension(x509.BasicConstraintsExtension)?.ca !== false) return null;
  const [name, ...others] = leaf.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
  if (name?.type !== "url" || others.length > 0) return null;
  const id = parseSpiffeId(name.value);
  return id?.trustDomain === trustDomain ? id : null;
}

function isInTime({ notBefore, notAfter }: x509.X509Certificate, now: Millis): boolean {
  return notBefore.getTime() <= now + CLOCK_SKEW_MS && now < notAfter.getTime() + CLOCK_SKEW_MS;
}

async function isOurs(leaf: x509.X509Certificate, intermediates: readonly string[]): Promise<boolean> {
  for (const encoded of intermediates) {
    const { subject, publicKey } = new x509.X509Certificate(encoded);
    if (leaf.issuer === subject && (await leaf.verify({ publicKey, signatureOnly: true }))) return true;
  }
  return false;
}

async function judgeAssertion(
  assertion: string,
  leaf: x509.X509Certificate,
  context: ProofContext,
): Promise<string | null> {
  const { payload } = await jwtVerify(assertion, await leaf.publicKey.export(), {
    algorithms: ALGORITHMS,
    audience: meshAudience(context.trustDomain),
    requiredClaims: ["exp", "iat"],
    currentDate: new Date(context.now),
    clockTolerance: CLOCK_SKEW_MS / 1000,
  });
  const { iat = 0, exp = Infinity } = payload;
  if (exp - iat > MAX_LIFE_SECONDS) return "the assertion lives longer than a minute";
  if (payload["rqh"] !== context.requestHash) return "the assertion was made for another request: see rqh";
  return null;
}

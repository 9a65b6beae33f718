/**
 * Certificate requests (PKCS #10, RFC 2986). All that counts in one is the key
 * and the proof that the requester holds it: names, extensions and attributes
 * are what somebody wishes to be, and are not looked at.
 *
 * @module
 */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import type { SubjectKey } from "./certificate.ts";
import { readPem } from "./pem.ts";

/** The longest request that is read, in characters: a usual one has 500. */
export const MAX_REQUEST_LENGTH = 16_384;

const LABELS: readonly string[] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
const CURVES: readonly string[] = ["P-256", "P-384", "P-521"];

/** Reads the key that a request (PEM) proves, or tells in a sentence why it proves none. */
export async function readRequest(pem: string): Promise<SubjectKey | { readonly refusal: string }> {
  const [block, ...others] = pem.length > MAX_REQUEST_LENGTH ? [] : readPem(pem);
  if (block === undefined || others.length > 0 || !LABELS.includes(block.label)) {
    return { refusal: "write one PEM block, BEGIN CERTIFICATE REQUEST, of at most 16 KiB" };
  }
  try {
    const request = new x509.Pkcs10CertificateRequest(block.base64);
    if (!isStrong(request.publicKey)) return { refusal: "the key must be of ECDSA on P-256, P-384 or P-521" };
    const isProved = await request.verify();
    return isProved ? request.publicKey : { refusal: "the request is not signed with its own key" };
  } catch {
    // What is malformed, and what the library does not know, is refused alike.
    return { refusal: "the request cannot be read" };
  }
}

function isStrong({ algorithm }: SubjectKey): boolean {
  const { name, namedCurve }: { name: string; namedCurve?: unknown } = algorithm;
  return name === "ECDSA" && typeof namedCurve === "string" && CURVES.includes(namedCurve);
}

import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { expect, test } from "vitest";
import { MAX_REQUEST_LENGTH, readRequest } from "../../shared/identity/certificate-request.ts";
import { readPem, writePem } from "../../shared/identity/pem.ts";
import { makeRequest } from "./requests.ts";

const { csr, keys } = await makeRequest();
const [{ base64 } = { base64: "" }] = readPem(csr);

/** With the last bit of the signature turned. */
function forge(encoded: string): string {
  const bytes = Buffer.from(encoded, "base64");
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  return bytes.toString("base64");
}

/** Somebody else's key in a request that is signed with one's own. */
async function stolen(): Promise<string> {
  const other = readPem((await makeRequest()).csr)[0]?.base64 ?? "";
  const [mine, theirs] = [base64, other].map((encoded) => Buffer.from(encoded, "base64"));
  const [point, target] = [mine, theirs].map(
    (bytes) => bytes?.indexOf(Buffer.from([0x03, 0x42, 0x00, 0x04])) ?? -1,
  );
  theirs?.copy(mine ?? Buffer.alloc(0), (point ?? 0) + 4, (target ?? 0) + 4, (target ?? 0) + 68);
  return mine?.toString("base64") ?? "";
}

async function rsa(): Promise<string> {
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const parameters = { ...algorithm, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
  const pair = await crypto.subtle.generateKey(parameters, true, ["sign", "verify"]);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: "CN=web",
    keys: pair,
    signingAlgorithm: algorithm,
  });
  return request.toString("pem");
}

const pem = (encoded: string) => writePem("CERTIFICATE REQUEST", encoded);

test("a request proves its key, whatever else it wishes", async () => {
  const read = await readRequest(csr);
  const spki = Buffer.from(await crypto.subtle.exportKey("spki", keys.publicKey));
  expect("refusal" in read ? read.refusal : Buffer.from(read.rawData)).toEqual(spki);
});

test.each([
  ["with text around it", `Certificate request:\n${csr}\n`],
  ["under its older label", csr.replaceAll("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")],
  ["with lines that end as on Windows", csr.replaceAll("\n", "\r\n")],
])("a request %s is read", async (_name, text) => {
  expect(await readRequest(text)).not.toHaveProperty("refusal");
});

const PEM = "write one PEM block, BEGIN CERTIFICATE REQUEST, of at most 16 KiB";
const UNREADABLE = "the request cannot be read";
const UNPROVED = "the request is not signed with its own key";

test.each([
  ["nothing", "", PEM],
  ["no PEM", base64, PEM],
  ["two requests", csr + csr, PEM],
  ["a certificate", writePem("CERTIFICATE", base64), PEM],
  ["too much", csr + " ".repeat(MAX_REQUEST_LENGTH), PEM],
  ["base64 of nothing much", pem("AAAA"), UNREADABLE],
  ["a request cut short", pem(base64.slice(0, 200)), UNREADABLE],
  ["another signature", pem(forge(base64)), UNPROVED],
  ["somebody else's key", pem(await stolen()), UNPROVED],
  ["an RSA key", await rsa(), "the key must be of ECDSA on P-256, P-384 or P-521"],
])("%s is refused", async (_name, text, refusal) => {
  expect(await readRequest(text)).toEqual({ refusal });
});

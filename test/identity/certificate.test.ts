import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import {
  crossSign,
  fingerprintOf,
  makeIntermediate,
  makeLeaf,
  makeRoot,
  newSerial,
  publicJwkOf,
  validityOf,
} from "../../shared/identity/certificate.ts";
import { readRequest } from "../../shared/identity/certificate-request.ts";
import { generateSigningKey } from "../../shared/identity/key.ts";
import { isBelieved, makeRequest } from "./requests.ts";

const NOW = Date.UTC(2026, 6, 1);
const DAY = 86_400_000;
const TRUST_DOMAIN = "mesh.test";
const SUBJECT = "spiffe://mesh.test/ns/shop/sa/web";

const rootKey = await generateSigningKey();
const root = await makeRoot(TRUST_DOMAIN, rootKey, NOW);
const rootSigner = { certificate: root, privateJwk: rootKey.privateJwk };
const key = await generateSigningKey();
const intermediate = await makeIntermediate(TRUST_DOMAIN, key, rootSigner, NOW);
const signer = { certificate: intermediate, privateJwk: key.privateJwk };

const parse = (base64: string) => new X509Certificate(Buffer.from(base64, "base64"));

async function subjectKey(pem: string) {
  const read = await readRequest(pem);
  if ("refusal" in read) throw new Error(read.refusal);
  return read;
}

async function leafFor(curve: string) {
  const publicKey = await subjectKey((await makeRequest(curve)).csr);
  const claims = { subject: SUBJECT, publicKey, serial: newSerial(), issuedAt: NOW, expiresAt: NOW + DAY };
  return { claims, certificate: await makeLeaf(claims, signer) };
}

test.each(["P-256", "P-384", "P-521"])(
  "a leaf for a key on %s names one workload and may do no more",
  async (curve) => {
    const { claims, certificate } = await leafFor(curve);
    const leaf = parse(certificate);
    expect({
      names: leaf.subjectAltName,
      subject: leaf.subject,
      isAuthority: leaf.ca,
      purposes: leaf.keyUsage,
      serial: leaf.serialNumber.toLowerCase(),
      from: Date.parse(leaf.validFrom),
      until: Date.parse(leaf.validTo),
      isOurs: leaf.checkIssued(parse(intermediate)) && leaf.verify(parse(intermediate).publicKey),
    }).toEqual({
      names: `URI:${SUBJECT}`,
      subject: undefined,
      isAuthority: false,
      purposes: ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
      serial: claims.serial,
      from: NOW - 60_000,
      until: NOW + DAY,
      isOurs: true,
    });
    expect(await isBelieved({ certificate, chain: [intermediate] }, [root], NOW)).toBe(true);
  },
);

test("serial numbers are positive, of sixteen octets, and never the same", () => {
  const serials = Array.from({ length: 1_000 }, newSerial);
  expect(serials.filter((serial) => !/^[4-7][0-9a-f]{31}$/.test(serial))).toEqual([]);
  expect(new Set(serials).size).toBe(serials.length);
});

test("an intermediate never outlives its root", async () => {
  const late = validityOf(root).notAfter - 30 * DAY;
  const last = await makeIntermediate(TRUST_DOMAIN, await generateSigningKey(), rootSigner, late);
  expect(validityOf(last)).toEqual({ notBefore: late - 60_000, notAfter: validityOf(root).notAfter });
});

test("an old root vouches for a new one, for both its names are one", async () => {
  const youngKey = await generateSigningKey();
  const young = await makeRoot(TRUST_DOMAIN, youngKey, NOW);
  const crossed = await crossSign(TRUST_DOMAIN, young, rootSigner, NOW);
  const below = { certificate: young, privateJwk: youngKey.privateJwk };
  const next = await makeIntermediate(TRUST_DOMAIN, key, below, NOW);
  const { claims } = await leafFor("P-256");
  const certificate = await makeLeaf(claims, { certificate: next, privateJwk: key.privateJwk });
  expect([parse(crossed).subject, parse(crossed).issuer]).toEqual([
    parse(young).subject,
    parse(root).subject,
  ]);
  const believed = [
    await isBelieved({ certificate, chain: [next, crossed] }, [root], NOW),
    await isBelieved({ certificate, chain: [next, crossed] }, [young], NOW),
    await isBelieved({ certificate, chain: [next] }, [root], NOW),
  ];
  expect(believed).toEqual([true, true, false]);
});

test("two roots never have one name", async () => {
  const other = await makeRoot(TRUST_DOMAIN, await generateSigningKey(), NOW);
  expect(parse(other).subject).not.toBe(parse(root).subject);
});

test("a certificate's key is told as a JWK, and its fingerprint as openssl tells it", async () => {
  const { x, y } = rootKey.publicJwk;
  expect(await publicJwkOf(root)).toEqual({ kty: "EC", crv: "P-256", x, y });
  expect(await fingerprintOf(root)).toBe(parse(root).fingerprint256.replaceAll(":", "").toLowerCase());
});

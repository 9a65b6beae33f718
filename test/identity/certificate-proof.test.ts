import { createHash } from "node:crypto";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { SignJWT, type CryptoKey } from "jose";
import { expect, test } from "vitest";
import { makeIntermediate, makeLeaf, makeRoot, newSerial } from "../../shared/identity/certificate.ts";
import { readProof, requestHash } from "../../shared/identity/certificate-proof.ts";
import { generateSigningKey } from "../../shared/identity/key.ts";
import { generate } from "./requests.ts";

const NOW = Date.UTC(2026, 6, 1);
const SECONDS = NOW / 1000;
const TRUST_DOMAIN = "mesh.test";
const HASH = await requestHash({ csr: "csr", audience: "aud" });

/** An authority of its own. */
async function authority() {
  const [rootKey, key] = [await generateSigningKey(), await generateSigningKey()];
  const root = { certificate: await makeRoot(TRUST_DOMAIN, rootKey, NOW), privateJwk: rootKey.privateJwk };
  const certificate = await makeIntermediate(TRUST_DOMAIN, key, root, NOW);
  return { certificate, privateJwk: key.privateJwk };
}

const ours = await authority();
const theirs = await authority();
const keys = await generate("P-256");
const other = await generate("P-256");
const SUBJECT = "spiffe://mesh.test/ns/shop/sa/web";
const serial = newSerial();
const context = { intermediates: [theirs.certificate, ours.certificate], trustDomain: TRUST_DOMAIN };

async function leafOf(subject = SUBJECT, signer = ours, expiresAt = NOW + 3_600_000): Promise<string> {
  const publicKey = new x509.PublicKey(await crypto.subtle.exportKey("spki", keys.publicKey));
  return makeLeaf({ subject, publicKey, serial, issuedAt: NOW, expiresAt }, signer);
}

const leaf = await leafOf();

interface Draft {
  readonly x5c?: readonly string[];
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly key?: CryptoKey;
}

function assert({ x5c = [leaf], claims = {}, key = keys.privateKey }: Draft = {}): Promise<string> {
  const usual = { aud: "spiffe://mesh.test", iat: SECONDS, exp: SECONDS + 60, rqh: HASH };
  return new SignJWT({ ...usual, ...claims }).setProtectedHeader({ alg: "ES256", x5c: [...x5c] }).sign(key);
}

function read(assertion: string, change: object = {}) {
  return readProof(assertion, { ...context, requestHash: HASH, now: NOW, ...change });
}

test("a certificate's holder is who the certificate says", async () => {
  expect(await read(await assert())).toEqual({
    id: { trustDomain: TRUST_DOMAIN, namespace: "shop", serviceAccount: "web" },
    serial,
    thumbprint: createHash("sha256").update(Buffer.from(leaf, "base64")).digest("base64url"),
    issuedAt: NOW,
  });
});

const BROKEN = "the assertion is malformed, or not signed with the certificate's key";
const NO_NAME = "x5c does not hold one certificate of a workload";
const FOREIGN = "the certificate is not of this mesh";

test.each<[string, Draft, object, string]>([
  ["another's key", { key: other.privateKey }, {}, BROKEN],
  ["another audience", { claims: { aud: "spiffe://evil.test" } }, {}, BROKEN],
  ["no audience", { claims: { aud: undefined } }, {}, BROKEN],
  ["no end", { claims: { exp: undefined } }, {}, BROKEN],
  ["no beginning", { claims: { iat: undefined } }, {}, BROKEN],
  ["an end that is past", { claims: { iat: SECONDS - 91, exp: SECONDS - 31 } }, {}, BROKEN],
  ["a long life", { claims: { exp: SECONDS + 61 } }, {}, "the assertion lives longer than a minute"],
  ["another request", { claims: { rqh: "x" } }, {}, "the assertion was made for another request: see rqh"],
  ["no request", { claims: { rqh: undefined } }, {}, "the assertion was made for another request: see rqh"],
  ["no certificate", { x5c: [] }, {}, NO_NAME],
  ["two certificates", { x5c: [leaf, leaf] }, {}, NO_NAME],
  ["an intermediate", { x5c: [ours.certificate] }, {}, NO_NAME],
  ["another trust domain", { x5c: [await leafOf("spiffe://evil.test/ns/shop/sa/web")] }, {}, NO_NAME],
  ["no workload", { x5c: [await leafOf("spiffe://mesh.test/admin")] }, {}, NO_NAME],
  ["nonsense as certificate", { x5c: ["AAAA"] }, {}, BROKEN],
  ["an authority that is not ours", {}, { intermediates: [theirs.certificate] }, FOREIGN],
  ["no authority at all", {}, { intermediates: [] }, FOREIGN],
  ["a certificate that has expired", {}, { now: NOW + 3_630_000 }, "the certificate has expired: join anew"],
])("an assertion with %s proves nobody", async (_name, draft, change, refusal) => {
  expect(await read(await assert(draft), change)).toEqual({ refusal });
});

test.each([
  ["nothing", "", BROKEN],
  ["no JWT", "a.b.c", BROKEN],
  ["too much", "a".repeat(8_193), "the assertion is longer than 8 KiB"],
])("%s proves nobody", async (_name, assertion, refusal) => {
  expect(await read(assertion)).toEqual({ refusal });
});

test("what is asked for cannot be shifted from one part to the other", async () => {
  const hashes = await Promise.all([
    requestHash({ csr: "a", audience: "b" }),
    requestHash({ csr: "ab", audience: "" }),
    requestHash({ csr: "", audience: "ab" }),
    requestHash({}),
    requestHash({ csr: "a", audience: "b", isBound: true }),
  ]);
  expect(new Set(hashes).size).toBe(5);
});

import { createHash } from "node:crypto";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { beforeAll, expect, test } from "vitest";
import { proveChain } from "../../shared/identity/client-certificate.ts";
import { type Authority, makeAuthority, makeOddity, makeSvid, type Oddity } from "./chains.ts";

const NOW = Date.UTC(2026, 10, 24, 12);
const HOUR = 3_600_000;
const WEB = "spiffe://mesh.test/ns/shop/sa/web";
const URI = { type: "url", value: WEB } as const;

let ours: Authority;
let theirs: Authority;
let leaf: string;

beforeAll(async () => {
  [ours, theirs] = [await makeAuthority("mesh.test", NOW), await makeAuthority("mesh.test", NOW)];
  leaf = await makeSvid(WEB, ours.intermediate, NOW);
});

async function prove(leaf: string, chain: readonly string[], change: object = {}): Promise<unknown> {
  const context = { roots: [ours.root], trustDomain: "mesh.test", now: NOW, ...change };
  const proof = await proveChain({ leaf, chain }, context);
  return "refusal" in proof ? proof.refusal : proof;
}

test("a certificate that leads to a root proves its workload", async () => {
  const proof = await prove(leaf, [ours.intermediate.certificate]);
  expect(proof).toEqual({
    id: { trustDomain: "mesh.test", namespace: "shop", serviceAccount: "web" },
    serial: new x509.X509Certificate(leaf).serialNumber,
    thumbprint: createHash("sha256").update(Buffer.from(leaf, "base64")).digest("base64url"),
    issuedAt: NOW,
    expiresAt: NOW + HOUR,
  });
});

const FOREIGN = "the certificate does not lead to a root of this mesh";
const NO_URI = "the certificate does not have exactly one URI";
const NOBODY = "the certificate names no workload of this mesh";
const UNREADABLE = "a certificate of the chain cannot be read";
const ENDED = "a certificate of the chain has expired, or is not valid yet";
const AUTHORITY = "the certificate is an authority's, not a workload's";

test.each<[string, () => Promise<unknown>, unknown]>([
  ["the root sent along", () => prove(leaf, [ours.intermediate.certificate, ours.root]), "ok"],
  [
    "others sent along, in disorder",
    () => prove(leaf, [theirs.root, theirs.intermediate.certificate, ours.intermediate.certificate]),
    "ok",
  ],
  [
    "two roots",
    () => prove(leaf, [ours.intermediate.certificate], { roots: [theirs.root, ours.root] }),
    "ok",
  ],
  ["no intermediate", () => prove(leaf, []), FOREIGN],
  ["an intermediate of others", () => prove(leaf, [theirs.intermediate.certificate]), FOREIGN],
  ["roots of others", () => prove(leaf, [ours.intermediate.certificate], { roots: [theirs.root] }), FOREIGN],
  [
    "a root that the client brings",
    () => prove(leaf, [ours.intermediate.certificate, ours.root], { roots: [] }),
    FOREIGN,
  ],
  [
    "another trust domain",
    () => prove(leaf, [ours.intermediate.certificate], { trustDomain: "other.test" }),
    NOBODY,
  ],
  ["an end that is past", () => prove(leaf, [ours.intermediate.certificate], { now: NOW + HOUR }), ENDED],
  ["a beginning to come", () => prove(leaf, [ours.intermediate.certificate], { now: NOW - HOUR }), ENDED],
  ["an intermediate as the leaf", () => prove(ours.intermediate.certificate, []), AUTHORITY],
  ["a root as the leaf", () => prove(ours.root, []), AUTHORITY],
  ["nonsense", () => prove("AAAA", []), UNREADABLE],
  ["nothing", () => prove("", []), UNREADABLE],
  ["nonsense in the chain", () => prove(leaf, ["AAAA", ours.intermediate.certificate]), UNREADABLE],
  [
    "a long chain",
    () =>
      prove(
        leaf,
        Array.from({ length: 9 }, () => ours.root),
      ),
    "the chain has too many certificates",
  ],
])("with %s", async (_, prove, expected) => {
  expect(resultOf(await prove())).toEqual(expected);
});

function resultOf(proof: unknown): unknown {
  return typeof proof === "string" ? proof : "ok";
}

const url = (value: string) => ({ type: "url", value }) as const;

test.each<[string, Oddity, string]>([
  ["two workloads", { names: [URI, url("spiffe://mesh.test/ns/shop/sa/admin")] }, NO_URI],
  ["the same twice", { names: [URI, URI] }, NO_URI],
  ["a workload and a page", { names: [URI, url("https://mesh.test/")] }, NO_URI],
  ["no name", { names: [], subject: "CN=web" }, NO_URI],
  ["an id as a common name", { names: [], subject: `CN=${WEB}` }, NO_URI],
  ["an id as a host", { names: [{ type: "dns", value: WEB }] }, NO_URI],
  ["an id as a mailbox", { names: [{ type: "email", value: WEB }] }, NO_URI],
  ["a workload and a host", { names: [URI, { type: "dns", value: "web.shop" }] }, "ok"],
  ["an id in upper case", { names: [url(WEB.toUpperCase())] }, NOBODY],
  ["another domain", { names: [url("spiffe://evil.test/ns/shop/sa/web")] }, NOBODY],
  ["a longer domain", { names: [url("spiffe://mesh.test.evil.test/ns/shop/sa/web")] }, NOBODY],
  ["a NUL", { names: [url(`${WEB}\0.evil.test`)] }, NOBODY],
  ["dots", { names: [url("spiffe://mesh.test/ns/mine/../shop/sa/web")] }, NOBODY],
  ["an escape", { names: [url("spiffe://mesh.test/ns/shop/sa/w%65b")] }, NOBODY],
  ["a slash too many", { names: [url(`${WEB}/`)] }, NOBODY],
  ["the domain alone", { names: [url("spiffe://mesh.test")] }, NOBODY],
  ["CA:TRUE", { names: [URI], isAuthority: true }, AUTHORITY],
  ["leave to sign others", { names: [URI], usages: x509.KeyUsageFlags.keyCertSign }, AUTHORITY],
  ["leave to revoke others", { names: [URI], usages: x509.KeyUsageFlags.cRLSign }, AUTHORITY],
  [
    "servers as its only purpose",
    { names: [URI], purposes: [x509.ExtendedKeyUsage.serverAuth] },
    "the certificate is not for clients",
  ],
  ["no purpose", { names: [URI], purposes: [] }, "ok"],
  [
    "a critical extension that nobody knows",
    { names: [URI], extensions: [new x509.Extension("1.2.3.4", true, new Uint8Array([5, 0]))] },
    "a certificate of the chain is limited to other names, or in a way that is not known",
  ],
])("a leaf with %s", async (_, oddity, expected) => {
  const odd = await makeOddity(oddity, ours.intermediate, NOW);
  expect(resultOf(await prove(odd, [ours.intermediate.certificate]))).toEqual(expected);
});

test("a leaf that another leaf has signed leads nowhere", async () => {
  const odd = await makeOddity({ names: [URI], subject: "CN=leaf" }, ours.intermediate, NOW);
  const rogue = { certificate: odd, privateJwk: ours.intermediate.privateJwk };
  const below = await makeOddity({ names: [URI] }, rogue, NOW);
  expect(await prove(below, [odd, ours.intermediate.certificate])).toBe(FOREIGN);
});

import { expect, test } from "vitest";
import { readUpstream } from "../../shared/identity/certificate-chain.ts";
import { readPem, writePem } from "../../shared/identity/pem.ts";
import { makeUpstream, type Wishes } from "./upstreams.ts";

const NOW = Date.UTC(2026, 6, 1);
const DAY = 86_400_000;
const TRUST_DOMAIN = "mesh.test";

const good = await makeUpstream({ now: NOW, trustDomain: TRUST_DOMAIN });
const other = await makeUpstream({ now: NOW, trustDomain: TRUST_DOMAIN });
const [intermediate = "", root = ""] = readPem(good.documents.chain).map(({ base64 }) => base64);
const pem = (...certificates: readonly string[]) =>
  certificates.map((certificate) => writePem("CERTIFICATE", certificate)).join("");

function read(wishes: Partial<Wishes>) {
  const make = makeUpstream({ now: NOW, trustDomain: TRUST_DOMAIN, ...wishes });
  return make.then(({ documents }) => readUpstream(documents, TRUST_DOMAIN, NOW));
}

test("an intermediate is taken with its chain and its key", async () => {
  const upstream = await readUpstream(good.documents, TRUST_DOMAIN, NOW);
  const privateJwk = {
    kty: "EC",
    crv: "P-256",
    x: expect.any(String),
    y: expect.any(String),
    d: expect.any(String),
  };
  expect(upstream).toEqual({ chain: [intermediate], root, privateJwk });
});

test.each<[string, Partial<Wishes>]>([
  ["no limit of authorities below it", { pathLength: null }],
  ["a root that allows one below it", { rootPathLength: 1 }],
  ["a life of a day and a second", { lifeMs: DAY + 1000 }],
  ["the purposes of both sides", { purposes: ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"] }],
  ["constraints that name the trust domain", { permitted: "mesh.test" }],
  ["constraints that cover it", { permitted: ".test" }],
])("one with %s is taken", async (_name, wishes) => {
  expect(await read(wishes)).not.toHaveProperty("refusal");
});

const FIRST = "chain: certificate 1 (CN=Mesh intermediate)";

test.each<[string, Partial<Wishes>, string]>([
  [
    "that is no authority",
    { isAuthority: false, pathLength: null },
    `${FIRST} is no authority: CA:TRUE is missing`,
  ],
  ["that may not sign", { usage: 1 }, `${FIRST} may not sign certificates`],
  ["of tomorrow", { notBefore: NOW + 1000 }, `${FIRST} is not valid yet`],
  ["that expires within a day", { lifeMs: DAY }, `${FIRST} expires within a day`],
  ["that has expired", { notBefore: NOW - 3 * DAY, lifeMs: -DAY }, `${FIRST} expires within a day`],
  [
    "below a root that allows none",
    { rootPathLength: 0 },
    "chain: certificate 2 (CN=Corporate root) allows fewer authorities below it than there are",
  ],
  [
    "for clients only",
    { purposes: ["1.3.6.1.5.5.7.3.2"] },
    `${FIRST} may not be used for both clients and servers`,
  ],
  [
    "for another trust domain",
    { permitted: "other.test" },
    `${FIRST} may not vouch for spiffe://mesh.test: see its name constraints`,
  ],
  ["with what nobody knows", { strange: true }, `${FIRST} has an unknown critical extension, 1.2.3.4`],
  ["on P-384", { curve: "P-384" }, "key: write one PEM block, BEGIN PRIVATE KEY, of ECDSA on P-256"],
])("one %s is refused", async (_name, wishes, refusal) => {
  expect(await read(wishes)).toEqual({ refusal });
});

const { key } = good.documents;
const COUNT = "chain: write the intermediate, its issuers and the root, 2 to 6 certificates";

test.each([
  ["no certificate", { chain: "" }, COUNT],
  ["no root", { chain: pem(intermediate) }, COUNT],
  ["seven certificates", { chain: pem(intermediate, ...Array.from({ length: 6 }, () => root)) }, COUNT],
  [
    "another root of the same name",
    { chain: pem(intermediate, other.root) },
    `${FIRST} has a signature that does not match`,
  ],
  [
    "the wrong order",
    { chain: pem(root, intermediate) },
    "chain: certificate 1 (CN=Corporate root) is not issued by the one after it",
  ],
  [
    "an end that is no root",
    { chain: pem(intermediate, intermediate) },
    `${FIRST} is not issued by the one after it`,
  ],
  ["nonsense", { chain: pem("AAAA", root) }, "chain: a certificate cannot be read"],
  ["another's key", { key: other.documents.key }, "key: it is not the first certificate's"],
  ["no key", { key: "" }, "key: write one PEM block, BEGIN PRIVATE KEY, of ECDSA on P-256"],
  [
    "a key that is encrypted",
    { key: key.replaceAll("PRIVATE KEY", "ENCRYPTED PRIVATE KEY") },
    "key: write one PEM block, BEGIN PRIVATE KEY, of ECDSA on P-256",
  ],
])("%s is refused", async (_name, change, refusal) => {
  expect(await readUpstream({ ...good.documents, ...change }, TRUST_DOMAIN, NOW)).toEqual({ refusal });
});

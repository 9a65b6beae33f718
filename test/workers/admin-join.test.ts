import "reflect-metadata";
import { reset } from "cloudflare:test";
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { readPem } from "../../shared/identity/pem.ts";
import { thumbprintOf } from "../../shared/identity/thumbprint.ts";
import { makeRequest } from "../identity/requests.ts";
import { ask, env, type Answered } from "./admin-kit.ts";

afterEach(reset);

const ISSUER = "https://kubernetes.default.svc";
const { csr } = await makeRequest();
const { publicKey, privateKey } = await generateKeyPair("RS256");
const stranger = await generateKeyPair("RS256");
const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: "k", alg: "RS256" }] };

function cluster(change: object = {}): string {
  return JSON.stringify([{ name: "prod", issuer: ISSUER, audience: "selvedge", jwks, ...change }]);
}

/** A token as the API server of a cluster projects it. */
function project(change: Readonly<Record<string, unknown>> = {}, key = privateKey): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: ISSUER,
    aud: ["selvedge"],
    sub: "system:serviceaccount:shop:web",
    iat: now,
    exp: now + 3600,
    "kubernetes.io": { namespace: "shop", serviceaccount: { name: "web", uid: "u" } },
    ...change,
  };
  return new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "k" }).sign(key);
}

function join(json: object, settings = cluster(), address = ""): Promise<Answered> {
  return ask("/api/v1/join", {
    method: "POST",
    json,
    headers: { authorization: "", ...(address === "" ? {} : { "cf-connecting-ip": address }) },
    env: { ...env, SELVEDGE_WORKLOAD_ISSUERS: settings },
  });
}

const answer = z.object({
  certificate: z.object({ subject: z.string(), certificate: z.string(), chain: z.string() }).nullable(),
  token: z.object({ subject: z.string(), token: z.string(), boundTo: z.string().optional() }).nullable(),
});

const { SELVEDGE_TRUST_DOMAIN: trustDomain } = env;

test("an operator makes a join token, and a workload gets its certificate for it without any other", async () => {
  const made = await ask("/api/v1/join-tokens", { method: "POST", json: { scope: "shop/web" } });
  const { token } = z.object({ token: z.string() }).parse(made.body);
  const joined = await join({ joinToken: token, csr, audience: `spiffe://${trustDomain}` });
  const { certificate, token: issued } = answer.parse(joined.body);
  expect([certificate?.subject, issued?.subject]).toEqual(
    Array.from({ length: 2 }, () => `spiffe://${trustDomain}/ns/shop/sa/web`),
  );
  expect(certificate?.certificate).toMatch(/^-----BEGIN CERTIFICATE-----\n/);
  expect((await join({ joinToken: token, csr })).body).toMatchObject({ status: 401, code: "authn.revoked" });
  expect((await ask("/api/v1/join-tokens")).body).toMatchObject({ items: [{ usedBy: "shop/web" }] });
  expect((await ask("/api/v1/audit?limit=1")).body).toMatchObject({
    items: [{ action: "join-token.create" }],
  });
});

describe("a service account", () => {
  test.each([
    ["of the cluster", {}, {}, "shop"],
    ["without what Kubernetes tells besides", { "kubernetes.io": undefined }, {}, "shop"],
    ["of a namespace that has another name here", {}, { namespaces: { shop: "store" } }, "store"],
    [
      "of a namespace that is the mesh's own",
      {},
      { namespaces: { shop: "selvedge-system" } },
      "selvedge-system",
    ],
  ])("%s joins as itself", async (_name, claims, settings, namespace) => {
    const serviceAccountToken = await project(claims);
    const joined = await join({ serviceAccountToken, csr }, cluster(settings));
    expect(joined.body).toMatchObject({
      certificate: { subject: `spiffe://${trustDomain}/ns/${namespace}/sa/web` },
      token: null,
    });
    const { items } = z
      .object({ items: z.array(z.looseObject({})) })
      .parse((await ask("/api/v1/ca/audit")).body);
    expect(items).toMatchObject([{ requester: "kubernetes/prod shop/web" }]);
  });

  test("gets a token that is bound to its certificate", async () => {
    const wanted = { csr, audience: `spiffe://${trustDomain}`, bound: true };
    const joined = await join({ serviceAccountToken: await project(), ...wanted });
    const { certificate, token } = answer.parse(joined.body);
    expect(decodeJwt(token?.token ?? "")["cnf"]).toEqual({ "x5t#S256": token?.boundTo });
    expect(token?.boundTo).toBe(await thumbprintOf(readPem(certificate?.certificate ?? "")[0]?.base64 ?? ""));
  });

  const now = Math.floor(Date.now() / 1000);

  test.each<[string, Readonly<Record<string, unknown>>, object]>([
    ["for another audience", { aud: ["https://kubernetes.default.svc"] }, {}],
    ["for no audience", { aud: undefined }, {}],
    ["of another issuer", { iss: "https://other.example" }, {}],
    ["that has expired", { exp: now - 61 }, {}],
    ["that never expires", { exp: undefined }, {}],
    ["of tomorrow", { nbf: now + 3600 }, {}],
    ["of a user", { sub: "shop:web" }, {}],
    ["of a node", { sub: "system:node:web" }, {}],
    ["with a further part", { sub: "system:serviceaccount:shop:web:admin" }, {}],
    ["with a path", { sub: "system:serviceaccount:shop:../admin" }, {}],
    [
      "that tells another name besides",
      { "kubernetes.io": { namespace: "shop", serviceaccount: { name: "x" } } },
      {},
    ],
    [
      "that tells another namespace besides",
      { "kubernetes.io": { namespace: "x", serviceaccount: { name: "web" } } },
      {},
    ],
    ["of a namespace that is not mapped", {}, { namespaces: { other: "shop" } }],
    [
      "of the mesh's own namespace, of which nothing is said",
      { sub: "system:serviceaccount:selvedge-system:web" },
      {},
    ],
    [
      "of a namespace called as what every object has",
      { sub: "system:serviceaccount:constructor:web" },
      { namespaces: {} },
    ],
  ])("%s is refused", async (_name, claims, settings) => {
    const serviceAccountToken = await project({ "kubernetes.io": undefined, ...claims });
    const refused = await join({ serviceAccountToken, csr }, cluster(settings));
    expect(refused.body).toMatchObject({ status: 401, code: "authn.token.invalid" });
  });

  test.each([
    ["no settings", ""],
    ["settings that are not JSON", "{"],
    ["settings with a field that nobody knows", cluster({ audiences: ["x"] })],
    ["settings without keys", cluster({ jwks: undefined })],
    ["keys that would come unencrypted", cluster({ jwks: undefined, jwksUri: "http://127.0.0.1:1/jwks" })],
  ])("with %s nobody joins", async (_name, settings) => {
    const refused = await join({ serviceAccountToken: await project(), csr }, settings);
    expect(refused.body).toMatchObject({ status: 401, code: "authn.token.invalid" });
  });

  test("signed by another's key is refused", async () => {
    const serviceAccountToken = await project({}, stranger.privateKey);
    expect((await join({ serviceAccountToken, csr })).body).toMatchObject({ code: "authn.token.invalid" });
  });

  test("cannot be another workload", async () => {
    const wish = { serviceAccountToken: await project(), csr, workload: "shop/admin" };
    expect((await join(wish)).body).toMatchObject({ status: 403, code: "admin.forbidden" });
  });
});

test.each([
  ["no proof", { csr }],
  ["two proofs", { csr, joinToken: "x", serviceAccountToken: "y" }],
  ["no wish", { joinToken: "x" }],
  ["a field that nobody knows", { csr, joinToken: "x", admin: true }],
])("%s is a mistake", async (_name, json) => {
  expect((await join(json)).body).toMatchObject({ status: 422, code: "config.invalid" });
});

test("whoever guesses is stopped, and others are not", async () => {
  const guess = () => join({ joinToken: "slj_guess", csr }, cluster(), "192.0.2.77");
  const statuses: number[] = [];
  for (let tries = 0; tries < 11; tries += 1) statuses.push((await guess()).status);
  expect(statuses.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 401));
  expect(statuses[10]).toBe(429);
  expect((await join({ joinToken: "slj_guess", csr }, cluster(), "192.0.2.78")).status).toBe(401);
});

test("an editor makes join tokens for its own namespaces, and no others", async () => {
  const access = { name: "editor", role: "editor", namespaces: ["shop"], ttlSeconds: 3600 };
  const granted = await ask("/api/v1/access", { method: "POST", json: access });
  const { token } = z.object({ token: z.string() }).parse(granted.body);
  const headers = { authorization: `Bearer ${token}` };
  const statusOf = async (path: string, json: object) =>
    (await ask(path, { method: "POST", json, headers })).status;
  expect(
    await Promise.all([
      statusOf("/api/v1/join-tokens", { scope: "shop/*" }),
      statusOf("/api/v1/join-tokens", { scope: "store/web" }),
      statusOf("/api/v1/ca/certificates", { workload: "shop/web", csr }),
      statusOf("/api/v1/ca/certificates", { workload: "store/web", csr }),
      statusOf("/api/v1/ca/rotate", { what: "root" }),
      statusOf("/api/v1/ca/revocations", { kind: "identity", value: "shop/web" }),
    ]),
  ).toEqual([200, 403, 200, 403, 403, 403]);
});

import { base64url, CompactSign, exportJWK, generateKeyPair } from "jose";
import type { CryptoKey } from "jose";
import { describe, expect, test } from "vitest";
import type { JwtRule, PublicJwk } from "../../shared/engine/end-user.ts";
import { readUserToken, signerOf, userOf, hasCandidate } from "../../shared/identity/user-token.ts";

const CLAIMS = { iss: "issuer", sub: "jane", aud: "shop" };

interface Pair {
  readonly privateKey: CryptoKey;
  readonly jwk: PublicJwk;
}

async function pairFor(alg: string, more: Readonly<Record<string, unknown>> = {}): Promise<Pair> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const { kty = "", ...rest } = await exportJWK(publicKey);
  return { privateKey, jwk: { ...rest, kty, kid: "k", ...more } };
}

async function tokenOf(
  { privateKey }: Pair,
  header: { alg: string; [name: string]: unknown },
  claims: object = CLAIMS,
) {
  const payload = new TextEncoder().encode(JSON.stringify(claims));
  return new CompactSign(payload).setProtectedHeader({ kid: "k", ...header }).sign(privateKey);
}

function encode(value: unknown): string {
  return base64url.encode(typeof value === "string" ? value : JSON.stringify(value));
}

function unsigned(header: unknown, claims: unknown = CLAIMS, signature = "c2ln"): string {
  return `${encode(header)}.${encode(claims)}.${signature}`;
}

async function isProved(text: string, keys: readonly PublicJwk[]): Promise<boolean> {
  const token = readUserToken(text);
  return token !== null && (await signerOf(token, keys)) !== null;
}

const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

describe("signerOf", () => {
  test.each(ALGORITHMS)("believes a token signed with %s, and no altered one", async (alg) => {
    const pair = await pairFor(alg);
    const stranger = await pairFor(alg);
    const text = await tokenOf(pair, { alg });
    const [header, , signature] = text.split(".");
    const forged = `${header}.${encode({ ...CLAIMS, sub: "root" })}.${signature}`;

    expect([
      await isProved(text, [pair.jwk]),
      await isProved(text, [stranger.jwk, pair.jwk]),
      await isProved(forged, [pair.jwk]),
      await isProved(text, [stranger.jwk]),
      await isProved(text, []),
    ]).toEqual([true, true, false, false, false]);
  });

  test("uses a key only as it says of itself", async () => {
    const rsa = await pairFor("RS256");
    const curve = await pairFor("ES256");
    const text = await tokenOf(rsa, { alg: "RS256" });

    expect([
      await isProved(text, [{ ...rsa.jwk, alg: "RS256" }]),
      await isProved(text, [{ ...rsa.jwk, alg: "PS256" }]),
      await isProved(text, [{ ...rsa.jwk, kid: "other" }]),
      await isProved(await tokenOf(rsa, { alg: "RS256", kid: undefined }), [rsa.jwk]),
      await isProved(text, [curve.jwk]),
      // A key that cannot be imported proves nothing, and stops no other.
      await isProved(text, [{ kty: "RSA", kid: "k", n: "AQAB", e: "AQAB" }, rsa.jwk]),
    ]).toEqual([true, false, false, true, false, true]);
  });

  test("takes no public key for a shared secret", async () => {
    const { jwk } = await pairFor("RS256");
    const secret = new TextEncoder().encode(JSON.stringify(jwk));
    const text = await new CompactSign(new TextEncoder().encode(JSON.stringify(CLAIMS)))
      .setProtectedHeader({ alg: "HS256", kid: "k" })
      .sign(secret);

    expect(await isProved(text, [jwk, { kty: "oct", kid: "k", k: base64url.encode(secret) }])).toBe(false);
  });

  test("knows which keys could have signed", async () => {
    const { jwk } = await pairFor("ES256");
    const token = readUserToken(unsigned({ alg: "ES256", kid: "new" }));
    expect(
      token === null ? null : [hasCandidate(token, [jwk]), hasCandidate(token, [{ ...jwk, kid: "new" }])],
    ).toEqual([false, true]);
  });
});

describe("readUserToken", () => {
  test.each<[string, string, boolean]>([
    ["a token", unsigned({ alg: "RS256", kid: "k" }), true],
    ["one without kid, exp and audience", unsigned({ alg: "RS256" }, { iss: "a" }), true],
    [
      "one with where its key is: not looked at",
      unsigned({ alg: "RS256", jku: "https://evil.test", jwk: {} }),
      true,
    ],
    ["crit", unsigned({ alg: "RS256", crit: ["exp"] }), false],
    ["b64", unsigned({ alg: "RS256", b64: false }), false],
    ["no alg", unsigned({ kid: "k" }), false],
    ["a kid that is no text", unsigned({ alg: "RS256", kid: 1 }), false],
    ["no issuer", unsigned({ alg: "RS256" }, { sub: "a" }), false],
    ["an issuer that is no text", unsigned({ alg: "RS256" }, { iss: ["a"] }), false],
    ["exp that is a text", unsigned({ alg: "RS256" }, { iss: "a", exp: "9" }), false],
    ["nbf that is null", unsigned({ alg: "RS256" }, { iss: "a", nbf: null }), false],
    ["an audience that is a number", unsigned({ alg: "RS256" }, { iss: "a", aud: 1 }), false],
    ["audiences of which one is a number", unsigned({ alg: "RS256" }, { iss: "a", aud: ["a", 1] }), false],
    ["two segments", `${encode({ alg: "RS256" })}.${encode(CLAIMS)}`, false],
    ["an empty signature", unsigned({ alg: "none" }, CLAIMS, ""), false],
    ["four segments", `${unsigned({ alg: "RS256" })}.a`, false],
    ["two tokens", `${unsigned({ alg: "RS256" })}, ${unsigned({ alg: "RS256" })}`, false],
    ["a payload that is a list", unsigned({ alg: "RS256" }, [CLAIMS]), false],
    ["a payload that is no JSON", unsigned({ alg: "RS256" }, "{"), false],
    ["one that is too long", unsigned({ alg: "RS256" }, { ...CLAIMS, pad: "a".repeat(16_384) }), false],
  ])("%s", (_what, text, isToken) => {
    expect(readUserToken(text) !== null).toBe(isToken);
  });
});

const RULE: JwtRule = {
  issuer: "issuer",
  audiences: [],
  keys: { kind: "inline", keys: [] },
  places: [],
  isForwarded: false,
  claimHeaders: [],
  spaced: ["teams"],
};

test.each<[string, object, object]>([
  ["whom it is for", {}, { subject: "jane", audiences: ["shop"], presenter: null }],
  [
    "several audiences, and who presents it",
    { aud: ["a", "b"], azp: "app" },
    { audiences: ["a", "b"], presenter: "app" },
  ],
  ["nobody", { sub: 7, aud: undefined }, { subject: "", audiences: [] }],
  ["scopes as a list", { scope: "read  write" }, { claims: { ...CLAIMS, scope: ["read", "write"] } }],
  ["what the rule calls a list", { teams: "a b" }, { claims: { ...CLAIMS, teams: ["a", "b"] } }],
  ["other texts as they are", { name: "a b" }, { claims: { ...CLAIMS, name: "a b" } }],
])("userOf tells %s", (_what, more, told) => {
  const token = readUserToken(unsigned({ alg: "RS256" }, { ...CLAIMS, ...more }));
  expect(token === null ? null : userOf(token, RULE)).toMatchObject(told);
});

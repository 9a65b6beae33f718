import { base64url, decodeJwt, exportJWK, generateKeyPair, SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import { generateSigningKey, importSigningKey } from "../../shared/identity/key.ts";
import { issuerHint, sign, verify } from "../../shared/identity/token.ts";
import type { TokenContext } from "../../shared/identity/token.ts";
import { CALLEE, CALLER, CLAIMS, contextOf, encode, forge, NOW, SECONDS, signText } from "./forge.ts";
import type { Json } from "./forge.ts";

const pair = await generateSigningKey();
const other = await generateSigningKey();
const context = contextOf(other, pair);

const ACCEPTED = {
  kind: "ok",
  caller: {
    trustDomain: "mesh.test",
    namespace: "shop",
    serviceAccount: "web",
    principal: "mesh.test/ns/shop/sa/web",
  },
  id: "t-1",
  audience: CALLEE,
  issuedAt: NOW,
  expiresAt: NOW + 300_000,
  isAdmitted: false,
  boundTo: null,
};

const THUMBPRINT = encode(new Uint8Array(32).fill(7));
const OTHER_THUMBPRINT = encode(new Uint8Array(32).fill(8));
const UNBOUND = {
  kind: "reject",
  code: "authn.token.unbound",
  detail: "the token counts only with the client certificate that it names: connect with that one",
};

function refused(detail: string): Json {
  return { kind: "reject", code: "authn.token.invalid", detail };
}

const BAD_HEADER = refused("the header is not {alg: ES256, kid, typ: JWT} and nothing else");
const BAD_SHAPE = refused("the token does not have three base64url segments");
const BAD_SIGNATURE = refused("the signature does not match");
const BAD_AUDIENCE = refused("aud names somebody else");
const NO_AUDIENCE = refused("aud is missing or not a single string");
const BAD_SECONDS = refused("iat and exp must be whole seconds");
const TOO_EARLY = refused("the token is not valid yet: check the issuer's clock");
const TOO_LONG = refused("the token lives longer than an hour");
const STRANGER = refused("sub is not a workload of this trust domain");
const EXPIRED = {
  kind: "reject",
  code: "authn.token.expired",
  detail: "the token has expired: ask for a new one",
};

describe("sign", () => {
  const claims = { subject: CALLER, audience: CALLEE, id: "t-1", issuedAt: NOW, expiresAt: NOW + 300_000 };

  test("writes a JWT-SVID that verifies", async () => {
    const token = await sign(claims, { kid: pair.kid, privateKey: await importSigningKey(pair.privateJwk) });
    const [header, payload] = token
      .split(".")
      .slice(0, 2)
      .map((part) => decodeJson(part));
    expect(header).toEqual({ alg: "ES256", kid: pair.kid, typ: "JWT" });
    expect(payload).toEqual(CLAIMS);
    expect(await verify(token, context)).toEqual(ACCEPTED);
  });

  test("says that the edge admitted the call only when it did", async () => {
    const key = { kid: pair.kid, privateKey: await importSigningKey(pair.privateJwk) };
    const verdicts = await Promise.all(
      [true, false].map(async (isAdmitted) => verify(await sign({ ...claims, isAdmitted }, key), context)),
    );
    expect(verdicts).toEqual([{ ...ACCEPTED, isAdmitted: true }, ACCEPTED]);
  });
});

describe("a bound token", () => {
  const cnf = { "x5t#S256": THUMBPRINT };

  test("names its certificate as RFC 8705 has it, and JOSE reads that", async () => {
    const key = { kid: pair.kid, privateKey: await importSigningKey(pair.privateJwk) };
    const claims = { subject: CALLER, audience: CALLEE, id: "t-1", issuedAt: NOW, expiresAt: NOW + 300_000 };
    const token = await sign({ ...claims, boundTo: THUMBPRINT }, key);
    expect(decodeJwt(token)).toEqual({ ...CLAIMS, cnf });
    expect(decodeJwt(await sign({ ...claims, boundTo: null }, key))).toEqual(CLAIMS);
  });

  test.each<[string, string | null | undefined, unknown]>([
    ["its certificate", THUMBPRINT, { ...ACCEPTED, boundTo: THUMBPRINT }],
    ["another certificate", OTHER_THUMBPRINT, UNBOUND],
    ["a certificate whose name begins alike", THUMBPRINT.slice(0, -1), UNBOUND],
    ["no certificate", null, UNBOUND],
    ["no way to see certificates", undefined, UNBOUND],
  ])("counts with %s as it should", async (_name, certificate, verdict) => {
    expect(await verify(await forge(pair, {}, { cnf }), { ...context, certificate })).toEqual(verdict);
  });

  test("is no better than another for what else is wrong with it", async () => {
    const shown = { ...context, certificate: THUMBPRINT };
    expect(await verify(await forge(pair, {}, { cnf, aud: CALLER }), shown)).toEqual(BAD_AUDIENCE);
    expect(await verify(await forge(pair, {}, { cnf, iat: 1, exp: 2 }), shown)).toEqual(EXPIRED);
    const token = await forge(other, { kid: pair.kid }, { cnf });
    expect(await verify(token, shown)).toEqual(BAD_SIGNATURE);
  });

  test.each<[string, unknown]>([
    ["null", null],
    ["nothing", {}],
    ["a text", THUMBPRINT],
    ["a list", [THUMBPRINT]],
    ["no text in it", { "x5t#S256": 1 }],
    ["an empty text in it", { "x5t#S256": "" }],
    ["a text in hex", { "x5t#S256": "07".repeat(32) }],
    ["a text with padding", { "x5t#S256": `${THUMBPRINT}=` }],
    ["a text with bits that belong to no byte", { "x5t#S256": `${THUMBPRINT.slice(0, -1)}d` }],
    ["a text of another length", { "x5t#S256": THUMBPRINT.slice(1) }],
    ["another hash", { "x5t#S1": THUMBPRINT }],
    ["a key", { jkt: THUMBPRINT }],
    ["a key besides", { "x5t#S256": THUMBPRINT, jkt: THUMBPRINT }],
    ["a certificate itself", { x5c: [THUMBPRINT] }],
  ])("that confirms %s is refused, whatever was shown", async (_name, confirmation) => {
    for (const certificate of [THUMBPRINT, undefined]) {
      const verdict = await verify(await forge(pair, {}, { cnf: confirmation }), { ...context, certificate });
      expect(verdict).toEqual(refused('cnf is not {"x5t#S256": <thumbprint>}'));
    }
  });
});

describe("verify, the header", () => {
  test.each<[string, Json, unknown]>([
    ["as we write it", {}, ACCEPTED],
    ["J1: alg none", { alg: "none" }, BAD_HEADER],
    ["J1: alg None", { alg: "None" }, BAD_HEADER],
    ["J1: no alg", { alg: undefined }, BAD_HEADER],
    ["J2: alg HS256", { alg: "HS256" }, BAD_HEADER],
    ["J2: alg RS256", { alg: "RS256" }, BAD_HEADER],
    ["J4: a kid like a path", { kid: "../../dev/null" }, BAD_HEADER],
    ["J4: an unknown kid", { kid: "nobody" }, refused("kid names no key of this mesh")],
    ["J4: a kid of 65 characters", { kid: "k".repeat(65) }, BAD_HEADER],
    ["J4: a kid that is a number", { kid: 1 }, BAD_HEADER],
    ["another key's kid", { kid: other.kid }, BAD_SIGNATURE],
    ["J5: no kid", { kid: undefined }, BAD_HEADER],
    ["J6: jku", { jku: "https://evil.test/keys" }, BAD_HEADER],
    ["J6: x5u", { x5u: "https://evil.test/cert" }, BAD_HEADER],
    ["J6: jwk", { jwk: pair.publicJwk }, BAD_HEADER],
    ["J7: crit", { crit: ["x"], x: 1 }, BAD_HEADER],
    ["J7: crit b64", { crit: ["b64"], b64: false }, BAD_HEADER],
    ["typ of an access token", { typ: "at+jwt" }, BAD_HEADER],
    ["no typ", { typ: undefined }, BAD_HEADER],
  ])("%s", async (_name, header, verdict) => {
    expect(await verify(await forge(pair, header, {}), context)).toEqual(verdict);
  });

  test("J2: a token signed with the public key as a secret is refused", async () => {
    const token = await new SignJWT({ ...CLAIMS })
      .setProtectedHeader({ alg: "HS256", kid: pair.kid, typ: "JWT" })
      .sign(new TextEncoder().encode(JSON.stringify(pair.publicJwk)));
    expect(await verify(token, context)).toEqual(BAD_HEADER);
  });

  test("J2: a token signed with a real RSA key is refused", async () => {
    const { privateKey } = await generateKeyPair("RS256");
    const token = await new SignJWT({ ...CLAIMS })
      .setProtectedHeader({ alg: "RS256", kid: pair.kid, typ: "JWT" })
      .sign(privateKey);
    expect(await verify(token, context)).toEqual(BAD_HEADER);
  });

  test("J6: an attacker's own key under our kid is refused", async () => {
    const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
    const token = await new SignJWT({ ...CLAIMS })
      .setProtectedHeader({ alg: "ES256", kid: pair.kid, typ: "JWT" })
      .sign(privateKey);
    expect(await verify(token, context)).toEqual(BAD_SIGNATURE);
    const withKey = await new SignJWT({ ...CLAIMS })
      .setProtectedHeader({ alg: "ES256", kid: pair.kid, typ: "JWT", jwk: await exportJWK(publicKey) })
      .sign(privateKey);
    expect(await verify(withKey, context)).toEqual(BAD_HEADER);
  });
});

describe("verify, the claims", () => {
  test.each<[string, Json, unknown]>([
    ["the mesh as audience", { aud: "spiffe://mesh.test" }, { ...ACCEPTED, audience: "spiffe://mesh.test" }],
    ["J8: another audience", { aud: CALLER }, BAD_AUDIENCE],
    ["J8: no audience", { aud: undefined }, NO_AUDIENCE],
    ["J8: an array of the right audience", { aud: [CALLEE] }, NO_AUDIENCE],
    ["J8: an array of two", { aud: [CALLEE, CALLER] }, NO_AUDIENCE],
    ["J8: an empty audience", { aud: "" }, NO_AUDIENCE],
    ["J9: our issuer", { iss: "spiffe://mesh.test" }, ACCEPTED],
    ["J9: almost our issuer", { iss: "spiffe://mesh.test/" }, refused("iss names another issuer")],
    ["J9: an issuer that is no string", { iss: 1 }, refused("iss is not a string")],
    ["J10: no exp", { exp: undefined }, BAD_SECONDS],
    ["J10: exp 1e300", { exp: 1e300 }, BAD_SECONDS],
    ["J10: exp as a string", { exp: `${SECONDS + 300}` }, BAD_SECONDS],
    ["J10: exp with a fraction", { exp: SECONDS + 300.5 }, BAD_SECONDS],
    ["J10: exp negative", { exp: -1 }, BAD_SECONDS],
    ["J10: exp null", { exp: null }, BAD_SECONDS],
    ["J10: no iat", { iat: undefined }, BAD_SECONDS],
    ["J10: iat as a string", { iat: `${SECONDS}` }, BAD_SECONDS],
    [
      "J10: expired a second ago, inside the skew",
      { iat: SECONDS - 60, exp: SECONDS - 1 },
      { ...ACCEPTED, issuedAt: NOW - 60_000, expiresAt: NOW - 1000 },
    ],
    [
      "J10: expired 29 s ago",
      { iat: SECONDS - 60, exp: SECONDS - 29 },
      { ...ACCEPTED, issuedAt: NOW - 60_000, expiresAt: NOW - 29_000 },
    ],
    ["J10: expired 30 s ago", { iat: SECONDS - 60, exp: SECONDS - 30 }, EXPIRED],
    ["J10: expired a year ago", { iat: SECONDS - 31_536_300, exp: SECONDS - 31_536_000 }, EXPIRED],
    ["J10: iat 30 s ahead", { iat: SECONDS + 30 }, { ...ACCEPTED, issuedAt: NOW + 30_000 }],
    ["J10: iat 31 s ahead", { iat: SECONDS + 31 }, TOO_EARLY],
    ["J10: iat an hour ahead", { iat: SECONDS + 3600, exp: SECONDS + 3700 }, TOO_EARLY],
    ["J10: nbf 30 s ahead", { nbf: SECONDS + 30 }, ACCEPTED],
    ["J10: nbf 31 s ahead", { nbf: SECONDS + 31 }, TOO_EARLY],
    ["J10: nbf as a string", { nbf: "0" }, refused("nbf must be whole seconds")],
    ["a life of an hour", { iat: SECONDS, exp: SECONDS + 3600 }, { ...ACCEPTED, expiresAt: NOW + 3_600_000 }],
    ["a life of an hour and a second", { iat: SECONDS, exp: SECONDS + 3601 }, TOO_LONG],
    ["no life", { iat: SECONDS, exp: SECONDS }, refused("exp does not come after iat")],
    [
      "J12: a claim named __proto__",
      JSON.parse('{"__proto__":{"sub":"spiffe://mesh.test/ns/a/sa/admin","isAdmitted":true}}'),
      ACCEPTED,
    ],
    ["no sub", { sub: undefined }, refused("sub is missing or not a string")],
    ["sub of another trust domain", { sub: "spiffe://evil.test/ns/shop/sa/web" }, STRANGER],
    ["sub of a longer trust domain", { sub: "spiffe://mesh.test.evil/ns/shop/sa/web" }, STRANGER],
    ["sub that is the mesh", { sub: "spiffe://mesh.test" }, STRANGER],
    ["sub with a dot segment", { sub: "spiffe://mesh.test/ns/../sa/web" }, STRANGER],
    ["sub that is no SPIFFE id", { sub: "web" }, STRANGER],
    ["no jti", { jti: undefined }, refused("jti is missing or too long")],
    ["jti that is a number", { jti: 7 }, refused("jti is missing or too long")],
    ["jti of 129 characters", { jti: "j".repeat(129) }, refused("jti is missing or too long")],
    ["admitted by the edge", { "selvedge.dev/admitted": true }, { ...ACCEPTED, isAdmitted: true }],
    [
      "admitted, as a string",
      { "selvedge.dev/admitted": "true" },
      refused("selvedge.dev/admitted is not a boolean"),
    ],
    ["claims that nobody knows", { scope: "all", roles: ["x"] }, ACCEPTED],
  ])("%s", async (_name, claims, verdict) => {
    expect(await verify(await forge(pair, {}, claims), context)).toEqual(verdict);
  });

  test("J11: of a claim written twice the last counts, in the verdict as in the check", async () => {
    const twice = `{"sub":"spiffe://evil.test/ns/a/sa/b",${JSON.stringify(CLAIMS).slice(1)}`;
    const header = JSON.stringify({ alg: "ES256", kid: pair.kid, typ: "JWT" });
    expect(await verify(await signText(header, twice, pair), context)).toEqual(ACCEPTED);
  });
});

describe("verify, the text", () => {
  test.each<[string, (token: string) => string, unknown]>([
    ["unchanged", (token) => token, ACCEPTED],
    ["empty", () => "", BAD_SHAPE],
    ["two segments", (token) => token.split(".").slice(0, 2).join("."), BAD_SHAPE],
    ["four segments", (token) => `${token}.x`, BAD_SHAPE],
    ["an empty signature", (token) => token.replace(/[^.]*$/, ""), BAD_SHAPE],
    ["padding", (token) => `${token}==`, BAD_SHAPE],
    ["a space before", (token) => ` ${token}`, BAD_SHAPE],
    ["a line feed after", (token) => `${token}\n`, BAD_SHAPE],
    ["base64 instead of base64url", (token) => `${token.slice(0, -1)}+`, BAD_SHAPE],
    ["a signature cut short", (token) => token.slice(0, -4), BAD_SIGNATURE],
    ["a signature of zeros", (token) => token.replace(/[^.]*$/, "A".repeat(86)), BAD_SIGNATURE],
    [
      "a payload changed",
      (token) => swap(token, 1, encode(JSON.stringify({ ...CLAIMS, sub: CALLER.replace("web", "adm") }))),
      BAD_SIGNATURE,
    ],
    [
      "a header that is an array",
      (token) => swap(token, 0, encode("[]")),
      refused("the header is not a JSON object"),
    ],
    [
      "a header that is no JSON",
      (token) => swap(token, 0, encode("{")),
      refused("the header is not a JSON object"),
    ],
    [
      "a payload that is null",
      (token) => swap(token, 1, encode("null")),
      refused("the payload is not a JSON object"),
    ],
    [
      "a payload with a byte order mark",
      (token) => swap(token, 1, encode("\uFEFF{}")),
      refused("the payload is not a JSON object"),
    ],
    [
      "a payload that is not UTF-8",
      (token) => swap(token, 1, encode(Buffer.from(JSON.stringify({ ...CLAIMS, x: "\u00ff" }), "latin1"))),
      refused("the payload is not a JSON object"),
    ],
    ["J13: 1 MiB", () => "a".repeat(1_048_576), refused("the token is longer than 8 KiB")],
  ])("%s", async (_name, change, verdict) => {
    expect(await verify(change(await forge(pair, {}, {})), context)).toEqual(verdict);
  });

  test("J13: 8 KiB are read, one character more is not", async () => {
    const bare = await forge(pair, {}, { pad: "" });
    // Three bytes of payload make four characters of token.
    const fitting = await forge(pair, {}, { pad: "p".repeat(Math.floor(((8192 - bare.length) / 4) * 3)) });
    const tooLong = await forge(pair, {}, { pad: "p".repeat(8192) });
    expect([fitting.length > 8186, fitting.length <= 8192]).toEqual([true, true]);
    expect(await verify(fitting, context)).toEqual(ACCEPTED);
    expect(await verify(tooLong, context)).toEqual(refused("the token is longer than 8 KiB"));
  });

  test("J14: a token altered in its unused bits is the same token, by its id", async () => {
    const token = await forge(pair, {}, {});
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = alphabet[alphabet.indexOf(token.slice(-1)) + 1];
    const altered = token.slice(0, -1) + last;
    expect(base64url.decode(altered.split(".")[2] ?? "")).toEqual(
      base64url.decode(token.split(".")[2] ?? ""),
    );
    expect(await verify(altered, context)).toEqual(ACCEPTED);
  });
});

describe("verify, the keys", () => {
  test.each<[string, Partial<TokenContext>, unknown]>([
    ["next and current, in any order", { keys: [pair.publicJwk, other.publicJwk] }, ACCEPTED],
    [
      "J3: none loaded",
      { keys: [] },
      {
        kind: "reject",
        code: "authn.keys_unavailable",
        detail: "no keys of the mesh are loaded yet: try again",
      },
    ],
    ["the signer's key withdrawn", { keys: [other.publicJwk] }, refused("kid names no key of this mesh")],
    ["J3: a malformed key", { keys: [{ ...pair.publicJwk, x: "AAAA" }] }, BAD_SIGNATURE],
    ["a foreign key under our kid", { keys: [{ ...other.publicJwk, kid: pair.kid }] }, BAD_SIGNATURE],
    ["no audience at all", { audiences: [] }, BAD_AUDIENCE],
    ["a clock that is not a number", { now: Number.NaN }, TOO_EARLY],
    ["a clock that steps back a minute", { now: NOW - 60_000 }, TOO_EARLY],
    ["a clock at the limit", { now: NOW + 329_999 }, ACCEPTED],
    ["a clock past the limit", { now: NOW + 330_000 }, EXPIRED],
    ["another trust domain", { trustDomain: "evil.test" }, STRANGER],
  ])("%s", async (_name, change, verdict) => {
    expect(await verify(await forge(pair, {}, {}), { ...context, ...change })).toEqual(verdict);
  });

  test("nonsense is the caller's fault even before keys are loaded", async () => {
    expect(await verify("nonsense", { ...context, keys: [] })).toEqual(BAD_SHAPE);
  });
});

test.each<[string, (token: string) => string, string | null]>([
  ["a token of ours", (token) => token, "mesh.test"],
  ["an end user's", (token) => swap(token, 1, encode('{"sub":"alice@example.test"}')), null],
  ["one without sub", (token) => swap(token, 1, encode("{}")), null],
  ["one with a sub that is no string", (token) => swap(token, 1, encode('{"sub":{}}')), null],
  ["no token", () => "opaque", null],
  ["a huge one", (token) => token + "a".repeat(8192), null],
])("the issuer hint of %s", async (_name, change, hint) => {
  expect(issuerHint(change(await forge(pair, {}, {})))).toBe(hint);
});

function swap(token: string, index: number, segment: string): string {
  return token.split(".").with(index, segment).join(".");
}

function decodeJson(segment: string): unknown {
  return JSON.parse(new TextDecoder().decode(base64url.decode(segment)));
}

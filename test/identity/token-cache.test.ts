import { expect, test } from "vitest";
import { generateSigningKey } from "../../shared/identity/key.ts";
import {
  cachedVerify,
  createTokenCache,
  isRemembered,
  MAX_CACHED_TOKENS,
} from "../../shared/identity/token-cache.ts";
import type { TokenCache } from "../../shared/identity/token-cache.ts";
import { CALLER, contextOf, encode, forge, NOW } from "./forge.ts";

const pair = await generateSigningKey();
const other = await generateSigningKey();
const context = contextOf(pair);
const token = await forge(pair, {}, {});

async function warmed(): Promise<TokenCache> {
  const cache = createTokenCache();
  expect(await cachedVerify(cache, token, context)).toMatchObject({ kind: "ok", id: "t-1" });
  return cache;
}

test("the second check is answered at once, with the very same verdict", async () => {
  const cache = await warmed();
  const first = cachedVerify(cache, token, context);
  expect(first).toMatchObject({ kind: "ok", id: "t-1" });
  expect(cachedVerify(cache, token, context)).toBe(first);
});

test.each([
  ["another audience", { audiences: [CALLER] }, "aud names somebody else"],
  ["another trust domain", { trustDomain: "evil.test" }, "sub is not a workload of this trust domain"],
  ["the key renamed", { keys: [{ ...pair.publicJwk, kid: "renamed" }] }, "kid names no key of this mesh"],
  ["the key withdrawn", { keys: [other.publicJwk] }, "kid names no key of this mesh"],
])("a remembered token does not pass with %s", async (_name, change, detail) => {
  const cache = await warmed();
  const verdict = await cachedVerify(cache, token, { ...context, ...change });
  expect(verdict).toEqual({ kind: "reject", code: "authn.token.invalid", detail });
});

test.each([
  ["in the last moment of its life", NOW + 329_999, "ok"],
  ["past it", NOW + 330_000, "reject"],
  ["after an hour idle", NOW + 3_600_000, "reject"],
])("a remembered token %s", async (_name, now, kind) => {
  const cache = await warmed();
  expect(cachedVerify(cache, token, { ...context, now })).toMatchObject({ kind });
});

test.each([
  ["its id", { ids: ["t-1"], identities: [] }, "authn.revoked"],
  ["all of its subject", { ids: [], identities: [{ subject: CALLER, before: NOW + 1 }] }, "authn.revoked"],
  ["what its subject had before", { ids: [], identities: [{ subject: CALLER, before: NOW }] }, "ok"],
  ["another", { ids: ["t-2"], identities: [] }, "ok"],
])("a remembered token does not outlive the revocation of %s", async (_name, revoked, expected) => {
  const cache = await warmed();
  const fresh = createTokenCache();
  for (const each of [cache, cache, fresh]) {
    const verdict = await cachedVerify(each, token, { ...context, revoked });
    expect(verdict.kind === "ok" ? "ok" : verdict.code).toBe(expected);
  }
});

test("a token that ends like a remembered one is another one", async () => {
  const cache = await warmed();
  const [header = "", payload = "", signature = ""] = token.split(".");
  const text = Buffer.from(payload, "base64url")
    .toString()
    .replace(CALLER, "spiffe://mesh.test/ns/a/sa/admin");
  const forged = `${header}.${Buffer.from(text).toString("base64url")}.${signature}`;
  expect(isRemembered(cache, forged, context.trustDomain)).toBe(false);
  expect(await cachedVerify(cache, forged, context)).toMatchObject({ kind: "reject" });
  expect(cachedVerify(cache, token, context)).toMatchObject({ kind: "ok" });
});

test("a remembered token that is bound counts with its certificate only, and stays remembered", async () => {
  const cache = createTokenCache();
  const certificate = encode(new Uint8Array(32).fill(7));
  const bound = await forge(pair, {}, { cnf: { "x5t#S256": certificate } });
  const verdict = await cachedVerify(cache, bound, { ...context, certificate });
  expect(verdict).toMatchObject({ kind: "ok", boundTo: certificate });
  for (const shown of [null, undefined, encode(new Uint8Array(32).fill(8))]) {
    const refusal = cachedVerify(cache, bound, { ...context, certificate: shown });
    expect(refusal).toMatchObject({ code: "authn.token.unbound" });
  }
  expect(cachedVerify(cache, bound, { ...context, certificate })).toBe(verdict);
});

test("a token is remembered once it was verified, for its own trust domain", async () => {
  const { trustDomain } = context;
  expect(isRemembered(createTokenCache(), token, trustDomain)).toBe(false);
  const cache = await warmed();
  expect(isRemembered(cache, token, trustDomain)).toBe(true);
  expect(isRemembered(cache, token, "evil.test")).toBe(false);
  expect(isRemembered(cache, `${token}x`, trustDomain)).toBe(false);
});

test("a token that expired in the cache is forgotten", async () => {
  const cache = await warmed();
  expect(cachedVerify(cache, token, { ...context, now: NOW + 330_000 })).toMatchObject({
    code: "authn.token.expired",
  });
  expect(cache.young.size + cache.old.size).toBe(0);
});

test("the same keys in a new snapshot keep what is remembered; other keys forget it", async () => {
  const cache = await warmed();
  const copied = { ...context, keys: context.keys.map((key) => ({ ...key })) };
  expect(cachedVerify(cache, token, copied)).toMatchObject({ kind: "ok" });
  expect(cachedVerify(cache, token, contextOf(pair, other))).toBeInstanceOf(Promise);
});

test("a check that the keys overtook is not remembered", async () => {
  const cache = createTokenCache();
  const verdict = cachedVerify(cache, token, context);
  cachedVerify(cache, "x", contextOf(other));
  expect(await verdict).toMatchObject({ kind: "ok" });
  expect(cache.young.size).toBe(0);
});

test("rejections are not remembered", async () => {
  const cache = createTokenCache();
  await cachedVerify(cache, await forge(other, {}, {}), context);
  expect(cache.young.size + cache.old.size).toBe(0);
});

test("the cache is bounded, and keeps the token that is in use", async () => {
  const cache = await warmed();
  const inUse = cachedVerify(cache, token, context);
  const count = MAX_CACHED_TOKENS + 200;
  let largest = 0;
  for (let index = 0; index < count; index += 1) {
    await cachedVerify(cache, await forge(pair, {}, { jti: `other-${index}` }), context);
    expect(cachedVerify(cache, token, context)).toBe(inUse);
    largest = Math.max(largest, cache.young.size + cache.old.size);
  }
  expect(largest).toBe(MAX_CACHED_TOKENS);
});

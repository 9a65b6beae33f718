import { calculateJwkThumbprint } from "jose";
import { expect, test } from "vitest";
import { generateSigningKey, importSigningKey, importVerificationKey } from "../../shared/identity/key.ts";

test("a key is named by its own thumbprint, and its public half holds nothing private", async () => {
  const pair = await generateSigningKey();
  const { kid, x, y } = pair.publicJwk;
  expect(pair.publicJwk).toEqual({ kid, kty: "EC", crv: "P-256", x, y, alg: "ES256" });
  expect(pair.privateJwk).toEqual({ kty: "EC", crv: "P-256", x, y, d: expect.any(String) });
  expect(kid).toBe(pair.kid);
  expect(kid).toBe(await calculateJwkThumbprint(pair.privateJwk));
});

test("two keys differ", async () => {
  const [a, b] = await Promise.all([generateSigningKey(), generateSigningKey()]);
  expect(a.kid).not.toBe(b.kid);
  expect(a.privateJwk.d).not.toBe(b.privateJwk.d);
});

test("an imported key is reused while its JWK lives, and never leaves the runtime again", async () => {
  const pair = await generateSigningKey();
  const key = await importSigningKey(pair.privateJwk);
  expect(await importSigningKey(pair.privateJwk)).toBe(key);
  expect(await importSigningKey({ ...pair.privateJwk })).not.toBe(key);
  expect(key.extractable).toBe(false);
  expect(key.usages).toEqual(["sign"]);
  expect((await importVerificationKey(pair.publicJwk)).usages).toEqual(["verify"]);
});

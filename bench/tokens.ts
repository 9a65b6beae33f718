/**
 * What it costs to know again a token that was verified before, in nanoseconds.
 *
 * @module
 */
import { SignJWT } from "jose";
import type { JwtRule } from "../shared/engine/end-user.ts";
import { createUserCache, identifyUser } from "../shared/forward/end-users.ts";
import type { Verifier } from "../shared/forward/issuer-keys.ts";
import { generateSigningKey, importSigningKey } from "../shared/identity/key.ts";
import { cachedVerify, createTokenCache } from "../shared/identity/token-cache.ts";
import { sign } from "../shared/identity/token.ts";
import * as userTokens from "../shared/identity/user-token.ts";
import { at, nanoseconds, nanosecondsEach } from "./timing.ts";

/** Each call brings a text of its own, as a request does: nobody has computed its hash yet. */
const TOKENS = 256;

const LIFE_MS = 300_000;

/** A token of the mesh, of a workload that calls again. */
export async function timeToken(): Promise<number> {
  const { kid, privateJwk, publicJwk } = await generateSigningKey();
  const privateKey = await importSigningKey(privateJwk);
  const now = Date.now();
  const audience = "spiffe://bench.test/ns/shop/sa/web";
  const subject = "spiffe://bench.test/ns/shop/sa/cart";
  const times = { issuedAt: now, expiresAt: now + LIFE_MS };
  const texts = await bytesOf((n) =>
    sign({ subject, audience, id: `id-${n}`, ...times }, { kid, privateKey }),
  );
  const revoked = {
    ids: ["0a", "0b"],
    identities: [{ subject: "spiffe://bench.test/ns/a/sa/b", before: now }],
  };
  const context = { keys: [publicJwk], trustDomain: "bench.test", audiences: [audience], revoked, now };
  const cache = createTokenCache();
  for (const text of texts) await cachedVerify(cache, text.toString("latin1"), context);
  return nanoseconds((n) => {
    const verdict = cachedVerify(cache, at(texts, n).toString("latin1"), context);
    return !(verdict instanceof Promise) && verdict.kind === "ok";
  });
}

/** A token of an end user, taken from its header and told to the callee by a claim. */
export async function timeUserToken(): Promise<number> {
  const { kid, privateJwk, publicJwk } = await generateSigningKey();
  const privateKey = await importSigningKey(privateJwk);
  const rule: JwtRule = {
    issuer: "https://issuer.test",
    audiences: ["shop"],
    keys: { kind: "inline", keys: [{ ...publicJwk }] },
    places: [{ kind: "header", name: "authorization", prefix: "Bearer " }],
    isForwarded: false,
    claimHeaders: [{ header: "x-user", claim: ["sub"] }],
    spaced: [],
  };
  const texts = await bytesOf((n) =>
    new SignJWT({ sub: `user-${n}`, scope: "read write" })
      .setProtectedHeader({ alg: "ES256", kid })
      .setIssuer(rule.issuer)
      .setAudience("shop")
      .setIssuedAt()
      .setExpirationTime("5m")
      .sign(privateKey),
  );
  const rules = [rule];
  const host = verifier();
  const shown = (n: number) => {
    const field = `Bearer ${at(texts, n).toString("latin1")}`;
    const headers = { get: (name: string) => (name === "authorization" ? field : null) };
    return { method: "GET", headers, query: "", isBearerOurs: false };
  };
  for (let n = 0; n < TOKENS; n++) await identifyUser(host, rules, shown(n));
  return nanosecondsEach(async (n) => {
    const identified = await identifyUser(host, rules, shown(n));
    return identified.kind === "user" && identified.user !== null;
  });
}

function bytesOf(make: (n: number) => Promise<string>): Promise<Buffer[]> {
  return Promise.all(Array.from({ length: TOKENS }, async (_, n) => Buffer.from(await make(n), "latin1")));
}

/** A host that needs nothing of the network. */
function verifier(): Verifier {
  const now = Date.now();
  return {
    state: { users: createUserCache(), keySets: new Map() },
    ports: {
      now: () => now,
      random: Math.random,
      sleep: unasked,
      timer: unasked,
      defer: unasked,
      log: unasked,
      ask: unasked,
      userTokens: () => Promise.resolve(userTokens),
    },
  };
}

function unasked(): never {
  throw new Error("what is known again asks nobody");
}

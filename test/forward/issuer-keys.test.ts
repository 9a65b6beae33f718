import { beforeAll, describe, expect, test } from "vitest";
import type { JwtRule, PublicJwk } from "../../shared/engine/end-user.ts";
import { carry } from "../../shared/forward/carry.ts";
import { issuerOf, rule, type Issuer } from "../fakes/issuers.ts";
import { codeOf, ok, reception, setUp } from "../fakes/loop.ts";
import { START } from "../fakes/mesh-kit.ts";
import { PERMISSIVE, service } from "../fakes/units.ts";

const NOW = START / 1_000;

let one: Issuer;
let two: Issuer;

beforeAll(async () => {
  one = await issuerOf("one");
  two = await issuerOf("two");
});

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** An answer with these keys. */
function set(...keys: readonly PublicJwk[]): () => Response {
  return () => Response.json({ keys });
}

describe("keys that the issuer publishes", () => {
  const uri = "https://issuer.example/keys";
  const remote = (more: Partial<JwtRule> = {}) =>
    rule("one", one.jwk, { keys: { kind: "remote", uri, timeoutMs: 5_000 }, ...more });

  /** An issuer that answers in the order of `answers`; the last one repeats. */
  function published(answers: readonly (() => Response | Promise<Response>)[]) {
    const asked: string[] = [];
    const ask = async (_address: unknown, request: Request) => {
      asked.push(`${request.method} ${request.url} ${request.redirect}`);
      const answer = answers[Math.min(asked.length, answers.length) - 1];
      return answer?.() ?? Response.error();
    };
    const unit = service("reviews", { inbound: [{ ...PERMISSIVE, users: [remote()] }] });
    const { kit } = setUp(unit, [ok], { ask });
    const call = async (headers: Record<string, string>) => {
      const response = await kit.run(
        carry(kit.mesh, new Request("http://reviews/", { headers }), reception()),
      );
      return response.status === 200 ? 200 : codeOf(response);
    };
    return { kit, asked, call };
  }

  test("are fetched once, and again after ten minutes", async () => {
    const { kit, asked, call } = published([set(one.jwk)]);
    const token = bearer(await one.token({ exp: NOW + 3_600 }));
    expect([await call(token), await call(token), await call(bearer(await one.token()))]).toEqual([
      200, 200, 200,
    ]);
    expect(asked).toEqual([`GET ${uri} manual`]);
    await kit.advance(721_000);
    expect([await call(token), asked.length]).toEqual([200, 2]);
  });

  test("that are new are fetched for a token that no known one signed, at most every 30 s", async () => {
    const young = await issuerOf("one", "young");
    const { kit, asked, call } = published([set(one.jwk), set(one.jwk), set(one.jwk, young.jwk)]);
    expect(await call(bearer(await one.token()))).toBe(200);
    const token = bearer(await young.token());
    expect([await call(token), await call(token), asked.length]).toEqual([
      [401, "authn.token.invalid"],
      [401, "authn.token.invalid"],
      1,
    ]);
    await kit.advance(30_000);
    expect([await call(token), asked.length]).toEqual([[401, "authn.token.invalid"], 2]);
    await kit.advance(30_000);
    expect([await call(token), asked.length]).toEqual([200, 3]);
  });

  test("that the issuer took back prove nothing any more", async () => {
    const { kit, call } = published([set(one.jwk), set(two.jwk)]);
    const token = bearer(await one.token({ exp: NOW + 3_600 }));
    expect(await call(token)).toBe(200);
    await kit.advance(721_000);
    await call({ authorization: "Bearer a" });
    await call(token);
    await kit.advance(1);
    expect(await call(token)).toEqual([401, "authn.token.invalid"]);
  });

  test("serve on for a day while the issuer does not answer", async () => {
    const { kit, call } = published([set(one.jwk), () => new Response("", { status: 500 })]);
    const token = bearer(await one.token({ exp: NOW + 172_800 }));
    expect(await call(token)).toBe(200);
    await kit.advance(86_000_000);
    expect(await call(token)).toBe(200);
    await kit.advance(500_000);
    expect(await call(token)).toEqual([401, "authn.token.invalid"]);
  });

  test.each<[string, () => Response | Promise<Response>]>([
    ["does not answer", () => new Promise(() => undefined)],
    ["cannot be reached", () => Promise.reject(new Error("no way"))],
    ["has none", () => new Response("", { status: 404 })],
    [
      "leads elsewhere",
      () => new Response("", { status: 302, headers: { location: "http://169.254.169.254/" } }),
    ],
    ["answers nonsense", () => new Response("<html>")],
    ["answers with an empty set", () => Response.json({ keys: [] })],
    ["answers with a secret", () => Response.json({ keys: [{ kty: "oct", k: "a" }] })],
    ["answers at length", () => new Response(`{"keys":[],"pad":"${"a".repeat(70_000)}"}`)],
  ])("are none when the issuer %s: tokens are refused, calls without one go on", async (_what, answer) => {
    const { call } = published([answer]);
    expect([await call(bearer(await one.token())), await call({})]).toEqual([
      [401, "authn.token.invalid"],
      200,
    ]);
  });

  test("are asked for ever more rarely while they fail", async () => {
    const { kit, asked, call } = published([() => new Response("", { status: 500 })]);
    const token = bearer(await one.token({ exp: NOW + 7_200 }));
    for (let second = 0; second < 600; second++) {
      await call(token);
      await kit.advance(1_000);
    }
    // 1, 2, 4, 8, 16, 32, 60, 60, … seconds between them, ± 20 %.
    expect(asked.length).toBeGreaterThan(12);
    expect(asked.length).toBeLessThan(22);
  });
});

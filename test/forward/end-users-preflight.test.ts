import { expect, test } from "vitest";
import type { Authorization } from "../../shared/engine/authorize.ts";
import type { JwtRule } from "../../shared/engine/end-user.ts";
import { carry } from "../../shared/forward/carry.ts";
import { codeOf, ok, reception, setUp } from "../fakes/loop.ts";
import { OPEN, PERMISSIVE, service } from "../fakes/units.ts";

const BEARER = { kind: "header", name: "authorization", prefix: "Bearer " } as const;
const OWN_FIELD = { kind: "header", name: "x-jwt", prefix: "" } as const;

const RULE: JwtRule = {
  issuer: "one",
  audiences: [],
  keys: { kind: "inline", keys: [] },
  places: [BEARER],
  isForwarded: false,
  payloadHeader: "x-payload",
  claimHeaders: [],
  spaced: [],
};

const ORIGIN = { origin: "https://shop.example" };
const ASKS = { ...ORIGIN, "access-control-request-method": "POST" };
/** No token, and what only the mesh may say. */
const BRINGS = { authorization: "Bearer opaque", "x-payload": "forged" };

function guarded(authorization: Authorization = OPEN, change: Partial<JwtRule> = {}) {
  const inbound = [{ ...PERMISSIVE, users: [{ ...RULE, ...change }], authorization }];
  const { kit, sent } = setUp(service("reviews", { inbound }), [ok]);
  const call = async (method: string, headers: Readonly<Record<string, string>>) => {
    const request = new Request("http://reviews/", { method, headers: { ...BRINGS, ...headers } });
    const response = await kit.run(carry(kit.mesh, request, reception()));
    return response.status === 200 ? 200 : codeOf(response);
  };
  return { sent, call };
}

test.each<[string, string, Readonly<Record<string, string>>, unknown]>([
  ["goes through, whatever token it brings", "OPTIONS", ASKS, 200],
  ["is none without an origin", "OPTIONS", { ...ASKS, origin: "" }, [401, "authn.token.invalid"]],
  ["is none without a method that it asks for", "OPTIONS", ORIGIN, [401, "authn.token.invalid"]],
  ["is none by another method", "GET", ASKS, [401, "authn.token.invalid"]],
])("a preflight %s", async (_what, method, headers, expected) => {
  expect(await guarded().call(method, headers)).toEqual(expected);
});

test("a preflight fills no field that tells of a token", async () => {
  const { sent, call } = guarded();
  await call("OPTIONS", ASKS);
  expect(sent.map(({ headers }) => headers.get("x-payload"))).toEqual([null]);
});

test.each<[string, Partial<JwtRule>, Readonly<Record<string, string>>, readonly (string | null)[]]>([
  ["a token that a rule consumes", {}, {}, [null, null]],
  ["a token that a rule forwards", { isForwarded: true }, {}, [null, null]],
  ["tokens at all places", { places: [BEARER, OWN_FIELD] }, { "x-jwt": "opaque" }, [null, null]],
  ["and keeps what is none", {}, { authorization: "Basic YTpi", "x-jwt": "mine" }, ["Basic YTpi", "mine"]],
])("a preflight goes on without what nobody has verified: %s", async (_what, change, headers, expected) => {
  const { sent, call } = guarded(OPEN, change);
  await call("OPTIONS", { ...ASKS, ...headers });
  const seen = sent.map((request) => ["authorization", "x-jwt"].map((name) => request.headers.get(name)));
  expect(seen).toEqual([expected]);
});

test("a preflight is for nobody, and policies still decide about it", async () => {
  const anybody = { issuer: { kind: "present" }, subject: { kind: "present" } } as const;
  const from = [{ also: [{ kind: "user" as const, values: [anybody] }] }];
  const authorization = { deny: [], allow: [{ policy: "shop/p", rule: 0, from, to: [] }] };
  expect(await guarded(authorization).call("OPTIONS", ASKS)).toEqual([403, "authz.default_deny"]);
});

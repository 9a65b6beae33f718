import { expect, test } from "vitest";
import type { Authorization } from "../../shared/engine/authorize.ts";
import type { JwtRule } from "../../shared/engine/end-user.ts";
import { carry } from "../../shared/forward/carry.ts";
import { codeOf, ok, reception, setUp } from "../fakes/loop.ts";
import { OPEN, PERMISSIVE, service } from "../fakes/units.ts";

const RULE: JwtRule = {
  issuer: "one",
  audiences: [],
  keys: { kind: "inline", keys: [] },
  places: [{ kind: "header", name: "authorization", prefix: "Bearer " }],
  isForwarded: false,
  payloadHeader: "x-payload",
  claimHeaders: [],
  spaced: [],
};

const ORIGIN = { origin: "https://shop.example" };
const ASKS = { ...ORIGIN, "access-control-request-method": "POST" };
/** No token, and what only the mesh may say. */
const BRINGS = { authorization: "Bearer opaque", "x-payload": "forged" };

function guarded(authorization: Authorization = OPEN) {
  const inbound = [{ ...PERMISSIVE, users: [RULE], authorization }];
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

test("a preflight is for nobody, and policies still decide about it", async () => {
  const anybody = { issuer: { kind: "present" }, subject: { kind: "present" } } as const;
  const from = [{ also: [{ kind: "user" as const, values: [anybody] }] }];
  const authorization = { deny: [], allow: [{ policy: "shop/p", rule: 0, from, to: [] }] };
  expect(await guarded(authorization).call("OPTIONS", ASKS)).toEqual([403, "authz.default_deny"]);
});

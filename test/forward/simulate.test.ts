import { describe, expect, test } from "vitest";
import type { Condition } from "../../shared/engine/access-condition.ts";
import { parseAddressBlock, parseNetworkAddress } from "../../shared/engine/address-block.ts";
import type { AuthorizationProvider, AuthorizationRule } from "../../shared/engine/authorize.ts";
import type { JwtRule } from "../../shared/engine/end-user.ts";
import { simulate } from "../../shared/forward/simulate.ts";
import type { Protected, Protection } from "../../shared/wire/policy-preview.ts";
import type { RecordedCall } from "../../shared/wire/recorded-call.ts";
import type { StoredCall } from "../../shared/wire/telemetry-rpc.ts";
import { OPEN } from "../fakes/units.ts";

const NOW = 5_000;
const UNIT = "service:shop/reviews";
const WEB = "mesh.test/ns/shop/sa/web";

const CALL: RecordedCall = {
  unit: UNIT,
  endpoint: "a",
  caller: WEB,
  host: "reviews.shop.mesh",
  port: 80,
  method: "GET",
  path: "/reviews/1",
  headers: {},
};

const EVERYBODY: Protection = { peer: "permissive", authorization: OPEN };
const STRICT: Protection = { ...EVERYBODY, peer: "strict" };

function rule(policy: string, changes: Partial<AuthorizationRule> = {}): AuthorizationRule {
  return { policy: `shop/${policy}`, rule: 0, from: [], to: [], ...changes };
}

function denying(...when: readonly Condition[]): Protection {
  return { ...EVERYBODY, authorization: { deny: [rule("deny", { when })], allow: null } };
}

const exact = (value: string) => ({ kind: "exact" as const, value });

const DENY_ALL = denying();

function only(policy: Protection | null): Protected | null {
  return policy === null ? null : { endpoints: { a: 0 }, policies: [policy] };
}

function stored(changes: Partial<RecordedCall> = {}, calls = 1, seenAt = NOW): StoredCall {
  return { call: { ...CALL, ...changes }, calls, seenAt };
}

function tried(before: Protection | null, after: Protection | null, ...calls: readonly StoredCall[]) {
  return simulate([{ unit: UNIT, before: only(before), after: only(after) }], calls, NOW);
}

const NOTHING = { replayed: 1, unchanged: 0, flips: 0, unknown: 0, unrecorded: [], gone: 0, items: [] };

const ALLOWED = { kind: "allowed", by: null, code: null };
const DENIED = { kind: "denied", by: "shop/deny[0]", code: "authz.rule" };

test("a flip is told with who decides before and after, and how often it was seen", () => {
  const calls = [
    stored({}, 2, 4_000),
    stored({ headers: { "x-team": "a" } }, 3, 4_500),
    stored({ path: "/reviews/2", caller: null }, 9, 3_000),
    stored({ unit: "service:shop/other" }, 100),
  ];

  expect(tried(EVERYBODY, DENY_ALL, ...calls)).toEqual({
    ...NOTHING,
    replayed: 3,
    flips: 2,
    items: [
      {
        caller: null,
        kind: "Service",
        callee: "shop/reviews",
        method: "GET",
        path: "/reviews/2",
        before: ALLOWED,
        after: DENIED,
        calls: 9,
        lastSeenAt: 3_000,
      },
      {
        caller: `spiffe://${WEB}`,
        kind: "Service",
        callee: "shop/reviews",
        method: "GET",
        path: "/reviews/1",
        before: ALLOWED,
        after: DENIED,
        calls: 5,
        lastSeenAt: 4_500,
      },
    ],
  });
});

function never(): never {
  throw new Error("the test's own address is none");
}

const PROVIDER: AuthorizationProvider = {
  name: "opa",
  address: { kind: "binding", name: "OPA" },
  pathPrefix: "",
  timeoutMs: 1_000,
  sends: [],
  adds: {},
  toUpstream: [],
  toDenied: [],
  failsOpen: false,
  statusOnError: 403,
};

function asking(provider: AuthorizationProvider | null): Protection {
  return { ...EVERYBODY, authorization: { ...OPEN, custom: [{ provider, rules: [rule("ask")] }] } };
}

const ONLY_WEB: Protection["authorization"] = {
  deny: [],
  allow: [rule("web", { from: [{ principals: [exact(WEB)] }] })],
};
const TO_TEAM = denying({ kind: "header", name: "x-team", values: [exact("a")] });
const FROM_INSIDE = denying({ kind: "remote-address", values: [parseAddressBlock("10.0.0.0/8") ?? never()] });
const DENY_AND_ASK = { ...asking(PROVIDER).authorization, deny: [rule("deny")] };
const DENIED_ONCE = { deny: [rule("deny", { endsAt: NOW })], allow: null };

function refused(code: string) {
  return { kind: "denied", by: null, code };
}

describe("a change", () => {
  test.each<[string, readonly [Protection, Protection], Partial<RecordedCall>, object | null]>([
    ["to the same verdict", [denying(), { ...DENY_ALL, peer: "disabled" }], {}, null],
    ["that a caller does not meet", [EVERYBODY, STRICT], {}, null],
    ["that asks for callers", [EVERYBODY, STRICT], { caller: null }, refused("authn.missing")],
    [
      "that asks for them at the port",
      [EVERYBODY, { ...EVERYBODY, peerPorts: [{ port: 80, mode: "strict" }] }],
      { caller: null },
      refused("authn.missing"),
    ],
    ["that lets strangers in", [STRICT, EVERYBODY], { caller: null }, ALLOWED],
    [
      "after which nobody looks at callers",
      [
        { ...EVERYBODY, authorization: ONLY_WEB },
        { peer: "disabled", authorization: ONLY_WEB },
      ],
      {},
      refused("authz.default_deny"),
    ],
    ["that asks a provider", [EVERYBODY, asking(PROVIDER)], {}, { kind: "asked", by: "opa", code: null }],
    ["that asks nobody known", [EVERYBODY, asking(null)], {}, refused("authz.custom")],
    ["that denies before it asks", [EVERYBODY, { ...EVERYBODY, authorization: DENY_AND_ASK }], {}, DENIED],
    ["to a rule that has ended", [DENY_ALL, { ...EVERYBODY, authorization: DENIED_ONCE }], {}, ALLOWED],
    ["by a header", [EVERYBODY, TO_TEAM], { headers: { "x-team": "a" } }, DENIED],
    ["by a header that was not sent", [EVERYBODY, TO_TEAM], { headers: { "x-team": null } }, null],
    [
      "by an address",
      [EVERYBODY, FROM_INSIDE],
      { addresses: { source: null, remote: parseNetworkAddress("10.1.2.3") } },
      DENIED,
    ],
    ["by an address that nobody could tell", [EVERYBODY, FROM_INSIDE], { addresses: null }, DENIED],
  ])("%s", (_name, [before, after], call, verdict) => {
    const found = tried(before, after, stored(call));
    expect([found.items.map((item) => item.after), found.unchanged, found.unknown]).toEqual([
      verdict === null ? [] : [verdict],
      verdict === null ? 1 : 0,
      0,
    ]);
  });
});

const JWT: JwtRule = {
  issuer: "issuer",
  audiences: [],
  keys: { kind: "inline", keys: [] },
  places: [],
  isForwarded: false,
  claimHeaders: [],
  spaced: [],
};

describe("what an end user's policies read", () => {
  const users = [JWT];
  const verified = { ...EVERYBODY, users };
  const user = {
    principal: { issuer: "issuer", subject: "jane" },
    audiences: ["shop"],
    presenter: "app",
    claims: [
      { path: ["team", "name"], values: ["a"] },
      { path: ["team"], values: [] },
      { path: ["__proto__", "x"], values: ["a"] },
    ],
  };

  test.each<[string, Condition, RecordedCall["user"], "flip" | "same" | readonly string[]]>([
    ["a claim", { kind: "claim", path: ["team", "name"], values: [exact("a")] }, user, "flip"],
    [
      "a claim of another value",
      { kind: "claim", path: ["team", "name"], values: [exact("b")] },
      user,
      "same",
    ],
    [
      "a claim by a name of objects",
      { kind: "claim", path: ["__proto__", "x"], values: [exact("a")] },
      user,
      "flip",
    ],
    [
      "a claim that was not recorded",
      { kind: "claim", path: ["role"], values: [exact("a")] },
      user,
      ["request.auth.claims[role]"],
    ],
    [
      "the user",
      { kind: "user", values: [{ issuer: exact("issuer"), subject: exact("jane") }] },
      user,
      "flip",
    ],
    [
      "the user, not recorded",
      { kind: "user", values: [{ issuer: exact("issuer"), subject: exact("jane") }] },
      { claims: [] },
      ["request.auth.principal"],
    ],
    ["an audience", { kind: "audience", values: [exact("shop")] }, user, "flip"],
    [
      "an audience, not recorded",
      { kind: "audience", values: [exact("shop")] },
      { claims: [] },
      ["request.auth.audiences"],
    ],
    ["a presenter", { kind: "presenter", values: [exact("app")] }, user, "flip"],
    [
      "a presenter, not recorded",
      { kind: "presenter", values: [exact("app")] },
      { claims: [] },
      ["request.auth.presenter"],
    ],
    ["nobody", { kind: "presenter", values: [exact("app")] }, null, "same"],
    ["whoever it was", { kind: "presenter", values: [exact("app")] }, undefined, ["request.auth"]],
  ])("%s", (_name, condition, recordedUser, expected) => {
    const call = stored(recordedUser === undefined ? {} : { user: recordedUser });
    const found = tried(verified, { ...denying(condition), users }, call);
    expect([found.flips, found.unchanged, found.unrecorded]).toEqual([
      expected === "flip" ? 1 : 0,
      expected === "same" ? 1 : 0,
      typeof expected === "string" ? [] : expected,
    ]);
  });

  test("other rules about tokens leave nothing known, but that nobody comes in", () => {
    expect(tried(EVERYBODY, verified, stored({ user }))).toEqual({
      ...NOTHING,
      unknown: 1,
      unrecorded: ["request.auth"],
    });
    expect(tried(EVERYBODY, { ...STRICT, users }, stored({ caller: null }))).toMatchObject({
      flips: 1,
      unknown: 0,
    });
  });
});

test("other demands of the mesh's own tokens leave nothing known of who calls with one", () => {
  const bound: Protection = { ...EVERYBODY, tokens: { isBound: true } };
  expect(tried(EVERYBODY, bound, stored(), stored({ caller: null }))).toEqual({
    ...NOTHING,
    replayed: 2,
    unchanged: 1,
    unknown: 1,
    unrecorded: ["source.principal"],
  });
});

test.each<[string, Protection, readonly string[]]>([
  ["a header", denying({ kind: "header", name: "x-team", values: [] }), ["request.headers[x-team]"]],
  ["an address", denying({ kind: "source-address", values: [] }), ["source.ip, remote.ip"]],
  [
    "a header, where an earlier rule decides",
    {
      ...EVERYBODY,
      authorization: {
        deny: [rule("first"), ...denying({ kind: "header", name: "x", values: [] }).authorization.deny],
        allow: null,
      },
    },
    [],
  ],
])("what was not recorded makes a verdict unknown if it is read: %s", (_name, after, unrecorded) => {
  expect(tried(EVERYBODY, after, stored())).toMatchObject({ unknown: unrecorded.length, unrecorded });
});

describe("an endpoint", () => {
  const both: Protected = { endpoints: { a: 0, b: 1 }, policies: [EVERYBODY, DENY_ALL] };

  test.each<[string, readonly [Protected | null, Protected | null], string, object]>([
    ["is decided by its own policies", [both, { ...both, endpoints: { a: 1, b: 1 } }], "a", { flips: 1 }],
    [
      "whose policies stay is as before",
      [both, { ...both, policies: [DENY_ALL, DENY_ALL] }],
      "b",
      { unchanged: 1 },
    ],
    ["that left is decided by the only policies", [only(EVERYBODY), only(DENY_ALL)], "z", { flips: 1 }],
    ["that left several policies is gone", [both, only(DENY_ALL)], "z", { gone: 1 }],
    ["of a service that goes is gone", [both, null], "a", { gone: 1 }],
    ["of a service that comes is gone", [null, both], "a", { gone: 1 }],
  ])("%s", (_name, [before, after], endpoint, expected) => {
    const found = simulate([{ unit: UNIT, before, after }], [stored({ endpoint })], NOW);
    expect(found).toMatchObject({ flips: 0, unchanged: 0, gone: 0, unknown: 0, ...expected });
  });
});

test("a workload's own host is told as its Endpoint", () => {
  const unit = "workload:shop/reviews-v1";
  const touched = {
    unit,
    before: { endpoints: {}, policies: [EVERYBODY] },
    after: { endpoints: {}, policies: [DENY_ALL] },
  };
  expect(simulate([touched], [stored({ unit, endpoint: "" })], NOW).items).toMatchObject([
    { kind: "Endpoint", callee: "shop/reviews-v1" },
  ]);
});

test("a thousand flips are told, and all are counted", () => {
  const calls = Array.from({ length: 1_001 }, (_, n) => stored({ path: `/${n}` }));
  const { flips, items } = tried(EVERYBODY, DENY_ALL, ...calls);
  expect([flips, items.length]).toEqual([1_001, 1_000]);
});

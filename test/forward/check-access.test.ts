import { expect, test } from "vitest";
import type { Authorization, AuthorizationRule } from "../../shared/engine/authorize.ts";
import type { PeerMode, Unit, UnitKey } from "../../shared/engine/snapshot.ts";
import { checkAccess } from "../../shared/forward/check-access.ts";
import { checkAnswer, checkRequest } from "../../shared/wire/authz-check.ts";
import { endpoint } from "../engine/endpoints.ts";
import { compilePattern } from "../engine/routes.ts";
import { meshKit } from "../fakes/mesh-kit.ts";
import { directory, PERMISSIVE, service } from "../fakes/units.ts";

const rule = (policy: string, more: Partial<AuthorizationRule> = {}): AuthorizationRule => ({
  policy,
  rule: 0,
  from: [],
  to: [],
  ...more,
});
const under = (value: string) => [{ paths: [{ kind: "prefix" as const, value }] }];
const web = [{ principals: [{ kind: "exact" as const, value: "mesh.test/ns/shop/sa/web" }] }];

const AUTHORIZATION: Authorization = {
  custom: [{ provider: null, rules: [rule("shop/custom", { to: under("/custom") })] }],
  deny: [rule("shop/deny", { to: under("/admin") })],
  intentions: [
    {
      policy: "shop/intends",
      rule: 1,
      source: { kind: "principal", principal: "mesh.test/ns/shop/sa/api" },
      permissions: [{ action: "allow", path: null, methods: [], headers: [] }],
    },
    {
      policy: "shop/intends",
      rule: 0,
      source: { kind: "anyone" },
      permissions: [{ action: "deny", path: null, methods: ["TRACE"], headers: [] }],
    },
  ],
  allow: [
    rule("shop/allow", { from: web }),
    rule("shop/allow", { rule: 1, endsAt: 0 }),
    rule("shop/allow", {
      rule: 2,
      when: [{ kind: "header", name: "x-a", values: [{ kind: "exact", value: "1" }] }],
    }),
  ],
  audit: [rule("shop/audit")],
  trial: { deny: [rule("shop/trial")], allow: null },
};

const UNITS: Readonly<Record<UnitKey, Unit>> = {
  directory: directory(),
  "service:shop/reviews": service("reviews", {
    endpoints: [endpoint("a"), endpoint("b", { inbound: 1 })],
    inbound: [
      { ...PERMISSIVE, authorization: AUTHORIZATION },
      { ...PERMISSIVE, peer: "strict", tokens: { once: under("/admin") } },
    ],
  }),
};

async function check(question: Readonly<Record<string, unknown>>, units = UNITS) {
  const { mesh } = meshKit();
  const checked = await checkAccess(checkRequest.parse({ to: "shop/reviews", ...question }), {
    knowledge: {
      unit: async (key) => units[key] ?? null,
      version: () => 7,
      meshDomain: "mesh.test",
      now: () => 1,
      compilePattern,
    },
    verifier: mesh,
  });
  if (!checked.ok) return checked.problem.code;
  // What the API says of its answers is true.
  expect(checkAnswer.parse(checked.value)).toEqual(checked.value);
  return checked.value;
}

test("tells what was looked at, who decided, and what others lack", async () => {
  expect(await check({ from: "shop/web", path: "/admin?a=b" })).toEqual({
    version: 7,
    caller: "spiffe://mesh.test/ns/shop/sa/web",
    request: { method: "GET", host: "reviews.shop.mesh.test", port: 80, path: "/admin" },
    decisions: [
      {
        endpoints: ["a"],
        peer: "permissive",
        user: null,
        isAllowed: false,
        by: "shop/deny[0]",
        code: "authz.rule",
        reason: "a rule denies it",
        takesTokenOnce: false,
        asks: [],
        steps: [
          { stage: "custom", policy: "shop/custom", rule: 0, verdict: "to" },
          { stage: "deny", policy: "shop/deny", rule: 0, verdict: "matches" },
          { stage: "intention", policy: "shop/intends", rule: 1, verdict: "from" },
          { stage: "intention", policy: "shop/intends", rule: 0, verdict: "to" },
          { stage: "allow", policy: "shop/allow", rule: 0, verdict: "matches" },
          { stage: "allow", policy: "shop/allow", rule: 1, verdict: "expired" },
          { stage: "allow", policy: "shop/allow", rule: 2, verdict: "when" },
          { stage: "audit", policy: "shop/audit", rule: 0, verdict: "matches" },
          { stage: "dry-run deny", policy: "shop/trial", rule: 0, verdict: "matches" },
        ],
        omittedSteps: 0,
      },
      {
        endpoints: ["b"],
        peer: "strict",
        user: null,
        isAllowed: true,
        by: null,
        code: null,
        reason: "no policy speaks against it",
        takesTokenOnce: true,
        asks: [],
        steps: [],
        omittedSteps: 0,
      },
    ],
  });
});

test.each<[string, Readonly<Record<string, unknown>>, readonly unknown[]]>([
  ["a rule that allows", { from: "shop/web" }, [null, null]],
  ["no rule that allows", { from: "shop/other" }, ["authz.default_deny", null]],
  ["nobody, who is denied where callers must be known", {}, ["authz.default_deny", "authn.missing"]],
  ["a header", { headers: [{ name: "x-a", value: "1" }] }, [null, "authn.missing"]],
  ["a provider that nobody knows", { from: "shop/web", path: "/custom" }, ["authz.custom", null]],
])("decides by %s", async (_what, question, codes) => {
  const answer = await check(question);
  expect(typeof answer === "string" ? answer : answer.decisions.map(({ code }) => code)).toEqual(codes);
});

test.each([
  ["a service that is not there", { to: "shop/none" }, "resource.not_found"],
  ["a path that no request can have", { path: "/a/../b" }, "path.noncanonical"],
  ["a host that is none", { host: "a..b" }, "host.invalid"],
])("refuses %s", async (_what, question, code) => {
  expect(await check(question)).toBe(code);
});

test.each<[PeerMode, object]>([
  ["strict", { tokenBinding: "Certificate" }],
  ["permissive", { tokenBinding: "Certificate" }],
  ["disabled", {}],
])("tells where a token must be bound: %s", async (peer, expected) => {
  const inbound = [{ ...PERMISSIVE, peer, tokens: { isBound: true as const } }];
  const units = { "service:shop/reviews": service("reviews", { inbound }) };
  const answer = await check({ from: "shop/web" }, { ...UNITS, ...units });
  expect(answer).toMatchObject({ decisions: [{ peer, isAllowed: true, ...expected }] });
  expect(JSON.stringify(answer).includes("tokenBinding")).toBe("tokenBinding" in expected);
});

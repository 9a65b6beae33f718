import { expect, test } from "vitest";
import type { Condition } from "../../shared/engine/access-condition.ts";
import type { Authorization, AuthorizationRule } from "../../shared/engine/authorize.ts";
import { claimAttribute, headerAttribute, readsOf, type Reads } from "../../shared/engine/reads.ts";

const NOTHING: Reads = {
  headers: new Set(),
  claims: [],
  users: false,
  audiences: false,
  presenters: false,
  addresses: false,
};

const OPEN: Authorization = { deny: [], allow: null };

function rule(...when: readonly Condition[]): AuthorizationRule {
  return { policy: "shop/p", rule: 0, from: [], to: [], when };
}

const TEAM: Condition = { kind: "header", name: "x-team", values: [] };

const custom = [{ provider: null, rules: [rule(TEAM)] }];

test.each<[string, Authorization, Partial<Reads>]>([
  ["no policy", OPEN, {}],
  ["rules about callers and operations", { deny: [rule({ kind: "port" })], allow: [rule()] }, {}],
  ["DENY", { ...OPEN, deny: [rule(TEAM)] }, { headers: new Set(["x-team"]) }],
  ["ALLOW", { deny: [], allow: [rule(TEAM)] }, { headers: new Set(["x-team"]) }],
  ["CUSTOM", { ...OPEN, custom }, { headers: new Set(["x-team"]) }],
  ["AUDIT", { ...OPEN, audit: [rule(TEAM)] }, { headers: new Set(["x-team"]) }],
  [
    "DENY on trial",
    { ...OPEN, trial: { deny: [rule(TEAM)], allow: null } },
    { headers: new Set(["x-team"]) },
  ],
  ["ALLOW on trial", { ...OPEN, trial: { deny: [], allow: [rule(TEAM)] } }, { headers: new Set(["x-team"]) }],
  [
    "sources beyond the caller",
    { ...OPEN, deny: [{ ...rule(), from: [{ also: [{ kind: "remote-address" }, { kind: "user" }] }] }] },
    { addresses: true, users: true },
  ],
  [
    "all of an end user, a claim of two rules once",
    {
      ...OPEN,
      deny: [
        rule({ kind: "claim", path: ["a", "b"] }, { kind: "audience" }, { kind: "presenter" }),
        rule({ kind: "claim", path: ["a", "b"] }, { kind: "claim", path: ["a"] }),
      ],
    },
    { claims: [["a", "b"], ["a"]], audiences: true, presenters: true },
  ],
  [
    "an intention",
    {
      ...OPEN,
      intentions: [
        {
          policy: "shop/i",
          rule: 0,
          source: { kind: "anyone" },
          permissions: [
            {
              action: "deny",
              path: null,
              methods: [],
              headers: [{ name: "x-i", kind: "present", value: "", ignoresCase: false, isInverted: false }],
            },
          ],
        },
      ],
    },
    { headers: new Set(["x-i"]) },
  ],
])("%s", (_name, authorization, expected) => {
  expect(readsOf(authorization)).toEqual({ ...NOTHING, ...expected });
});

test("attributes are named as policies name them", () => {
  expect([headerAttribute("x-team"), claimAttribute(["a", "b"])]).toEqual([
    "request.headers[x-team]",
    "request.auth.claims[a][b]",
  ]);
});

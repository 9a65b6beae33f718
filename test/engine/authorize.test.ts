import { expect, test } from "vitest";
import * as authorize from "../../shared/engine/authorize.ts";
import { parseStringMatch, type StringMatch } from "../../shared/engine/match.ts";

const matches = (...patterns: string[]): StringMatch[] => patterns.map(parseStringMatch);

function callerOf(namespace: string, serviceAccount: string): authorize.Caller {
  const caller = { trustDomain: "cluster.local", namespace, serviceAccount };
  return { ...caller, principal: authorize.principalOf(caller) };
}

const input = (changes: Partial<authorize.AuthorizationInput> = {}): authorize.AuthorizationInput => ({
  caller: callerOf("shop", "web"),
  host: "reviews.shop",
  port: 9080,
  method: "GET",
  path: "/reviews/0",
  headers: new Headers(),
  now: 0,
  ...changes,
});

interface RuleParts {
  readonly from?: readonly authorize.SourceMatch[];
  readonly to?: readonly authorize.OperationMatch[];
}

const rule = ({ from = [], to = [] }: RuleParts, index = 0): authorize.AuthorizationRule => ({
  policy: "shop/policy",
  rule: index,
  from,
  to,
});

const allowing = (...rules: RuleParts[]): authorize.Authorization => ({ deny: [], allow: rules.map(rule) });

test("a principal is a SPIFFE id without its scheme", () => {
  expect(callerOf("shop", "web").principal).toBe("cluster.local/ns/shop/sa/web");
});

const EVERYTHING = rule({});
const NOTHING = rule({ to: [{ methods: matches("NEVER") }] });

test.each<[string, authorize.Authorization, authorize.AuthorizationDecision]>([
  ["no policy at all", { deny: [], allow: null }, { kind: "allow", by: null }],
  ["a DENY that does not match", { deny: [NOTHING], allow: null }, { kind: "allow", by: null }],
  ["a DENY that matches", { deny: [EVERYTHING], allow: null }, { kind: "deny", by: "shop/policy[0]" }],
  ["allow nothing: a policy without rules", { deny: [], allow: [] }, { kind: "deny", by: null }],
  ["no ALLOW rule matches", { deny: [], allow: [NOTHING] }, { kind: "deny", by: null }],
  ["an ALLOW rule that matches", { deny: [], allow: [EVERYTHING] }, { kind: "allow", by: "shop/policy[0]" }],
  ["DENY goes first", { deny: [EVERYTHING], allow: [EVERYTHING] }, { kind: "deny", by: "shop/policy[0]" }],
  [
    "the first rule that matches names itself",
    {
      deny: [NOTHING],
      allow: [NOTHING, { ...EVERYTHING, policy: "selvedge-system/all", rule: 3 }, EVERYTHING],
    },
    { kind: "allow", by: "selvedge-system/all[3]" },
  ],
])("%s", (_name, authorization, expected) => {
  expect(authorize.authorize(authorization, input())).toEqual(expected);
});

const ANONYMOUS = { caller: null };
const WEB = matches("cluster.local/ns/shop/sa/web");

test.each<[string, RuleParts, Partial<authorize.AuthorizationInput>, boolean]>([
  ["an exact principal", { from: [{ principals: WEB }] }, {}, true],
  ["another principal", { from: [{ principals: WEB }] }, { caller: callerOf("shop", "webx") }, false],
  ["a principal's prefix", { from: [{ principals: matches("cluster.local/ns/shop/*") }] }, {}, true],
  ["a principal's suffix", { from: [{ principals: matches("*/sa/web") }] }, {}, true],
  ["a principal with its scheme", { from: [{ principals: matches("spiffe://cluster.local/*") }] }, {}, false],
  ["any principal", { from: [{ principals: matches("*") }] }, {}, true],
  ["any principal, nobody proved", { from: [{ principals: matches("*") }] }, ANONYMOUS, false],
  ["no principal, nobody proved", { from: [{ notPrincipals: matches("*") }] }, ANONYMOUS, true],
  ["no principal, somebody proved", { from: [{ notPrincipals: matches("*") }] }, {}, false],
  ["a namespace", { from: [{ namespaces: matches("shop") }] }, {}, true],
  ["a namespace's prefix", { from: [{ namespaces: matches("sh*") }] }, {}, true],
  ["another namespace", { from: [{ namespaces: matches("sho") }] }, {}, false],
  ["a namespace, nobody proved", { from: [{ namespaces: matches("*") }] }, ANONYMOUS, false],
  ["not a namespace, nobody proved", { from: [{ notNamespaces: matches("shop") }] }, ANONYMOUS, true],
  ["not this namespace", { from: [{ notNamespaces: matches("shop") }] }, {}, false],
  ["fields are ANDed", { from: [{ principals: WEB, notNamespaces: matches("shop") }] }, {}, false],
  ["values are ORed", { from: [{ namespaces: matches("a", "shop") }] }, {}, true],
  ["sources are ORed", { from: [{ namespaces: matches("a") }, { principals: WEB }] }, {}, true],
  ["from and to are ANDed", { from: [{ principals: WEB }], to: [{ ports: [1] }] }, {}, false],
  ["operations are ORed", { to: [{ ports: [1] }, { methods: matches("GET") }] }, {}, true],
  ["a host", { to: [{ hosts: matches("reviews.shop") }] }, {}, true],
  ["a host's suffix", { to: [{ hosts: matches("*.shop") }] }, {}, true],
  ["not a host", { to: [{ notHosts: matches("*.shop") }] }, {}, false],
  ["not another host", { to: [{ notHosts: matches("*.other") }] }, {}, true],
  ["a port", { to: [{ ports: [80, 9080] }] }, {}, true],
  ["another port", { to: [{ ports: [80] }] }, {}, false],
  ["not a port", { to: [{ notPorts: [9080] }] }, {}, false],
  ["not another port", { to: [{ notPorts: [80] }] }, {}, true],
  ["methods are case-sensitive", { to: [{ methods: matches("get") }] }, {}, false],
  ["not a method", { to: [{ notMethods: matches("GET") }] }, {}, false],
  ["a path", { to: [{ paths: matches("/reviews/0") }] }, {}, true],
  ["a path is not its prefix", { to: [{ paths: matches("/reviews") }] }, {}, false],
  ["a path's prefix", { to: [{ paths: matches("/reviews/*") }] }, {}, true],
  ["paths are case-sensitive", { to: [{ paths: matches("/Reviews/*") }] }, {}, false],
  ["not a path", { to: [{ notPaths: matches("*/0") }] }, {}, false],
  [
    "what is in, less what is out",
    { to: [{ paths: matches("/reviews/*"), notPaths: matches("/reviews/1") }] },
    {},
    true,
  ],
  ["an empty list matches nothing", { to: [{ methods: [] }] }, {}, false],
  ["an empty list excludes nothing", { to: [{ notMethods: [] }] }, {}, true],
  ["a source that asks for nothing", { from: [{}] }, ANONYMOUS, true],
])("%s", (_name, parts, changes, expected) => {
  const isAllowed = authorize.authorize(allowing(parts), input(changes)).kind === "allow";
  const isDenied = authorize.authorize({ deny: [rule(parts)], allow: null }, input(changes)).kind === "deny";
  expect({ isAllowed, isDenied }).toEqual({ isAllowed: expected, isDenied: expected });
});

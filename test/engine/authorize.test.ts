import { expect, test } from "vitest";
import * as authorize from "../../shared/engine/authorize.ts";
import { parseStringMatch, type StringMatch } from "../../shared/engine/match.ts";
import { oneOf, seeded, severalOf } from "./random.ts";

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

// The slow reference: every condition of every rule is spelled out as a regular expression over text, then combined.

const literal = (text: string): string => text.replaceAll(/[^a-zA-Z0-9]/g, (character) => `\\${character}`);

function pattern(match: StringMatch): RegExp {
  if (match.kind === "present") return /^.+$/;
  if (match.kind === "prefix") return new RegExp(`^${literal(match.value)}.*$`);
  return new RegExp(match.kind === "suffix" ? `^.*${literal(match.value)}$` : `^${literal(match.value)}$`);
}

function conditions(
  fields: Readonly<Record<string, readonly (StringMatch | number)[] | undefined>>,
  values: Readonly<Record<string, string | null>>,
): boolean[] {
  return Object.entries(fields).map(([field, list = []]) => {
    const isNegative = field.startsWith("not");
    const name = (isNegative ? field.slice(3) : field).toLowerCase();
    const value = values[name] ?? null;
    const hits = list.map((match) => {
      if (value === null) return false;
      return typeof match === "number" ? `${match}` === value : pattern(match).test(value);
    });
    return isNegative ? hits.every((hit) => !hit) : hits.some((hit) => hit);
  });
}

function slowMatch(one: authorize.AuthorizationRule, request: authorize.AuthorizationInput): boolean {
  const { caller } = request;
  const values = {
    principals: caller && `${caller.trustDomain}/ns/${caller.namespace}/sa/${caller.serviceAccount}`,
    namespaces: caller && caller.namespace,
    hosts: request.host,
    ports: `${request.port}`,
    methods: request.method,
    paths: request.path,
  };
  const any = (list: readonly (authorize.SourceMatch | authorize.OperationMatch)[]): boolean =>
    list.length === 0 ||
    list.map((fields) => conditions({ ...fields }, values)).some((all) => !all.includes(false));
  return any(one.from) && any(one.to);
}

function slowAuthorize(
  { deny, allow }: authorize.Authorization,
  request: authorize.AuthorizationInput,
): authorize.AuthorizationDecision {
  const nameOfFirst = (rules: readonly authorize.AuthorizationRule[]): string[] =>
    rules.filter((one) => slowMatch(one, request)).map((one) => `${one.policy}[${one.rule}]`);
  const [denying] = nameOfFirst(deny);
  if (denying !== undefined) return { kind: "deny", by: denying };
  if (allow === null) return { kind: "allow", by: null };
  const [by] = nameOfFirst(allow);
  return by === undefined ? { kind: "deny", by: null } : { kind: "allow", by };
}

const NAMES = ["a", "ab", "b"];
const PATHS = ["/", "/a", "/a/b", "/ab", "/b/a"];
const HOSTS = ["a.test", "b.a.test", "a.b"];
const METHODS = ["GET", "POST"];

function drawAuthorization(random: () => number): authorize.Authorization {
  const maybe = <T>(name: string, draw: () => T): Record<string, T[]> =>
    random() < 0.3 ? { [name]: severalOf(random, 1, 2, draw) } : {};
  const text = (values: readonly string[]) => (): StringMatch => {
    const value = oneOf(random, values);
    const at = Math.floor(random() * (value.length + 1));
    return parseStringMatch(
      oneOf(random, [value, value, `${value.slice(0, at)}*`, `*${value.slice(at)}`, "*"]),
    );
  };
  const principals = NAMES.flatMap((namespace) => NAMES.map((name) => callerOf(namespace, name).principal));
  const from = (): authorize.SourceMatch => ({
    ...maybe("principals", text(principals)),
    ...maybe("notPrincipals", text(principals)),
    ...maybe("namespaces", text(NAMES)),
    ...maybe("notNamespaces", text(NAMES)),
  });
  const port = (): number => oneOf(random, [80, 443]);
  const to = (): authorize.OperationMatch => ({
    ...maybe("hosts", text(HOSTS)),
    ...maybe("notHosts", text(HOSTS)),
    ...maybe("ports", port),
    ...maybe("notPorts", port),
    ...maybe("methods", text(METHODS)),
    ...maybe("notMethods", text(METHODS)),
    ...maybe("paths", text(PATHS)),
    ...maybe("notPaths", text(PATHS)),
  });
  const rules = (policy: string, min: number, max: number): authorize.AuthorizationRule[] =>
    severalOf(random, min, max, () => ({
      policy,
      rule: Math.floor(random() * 10),
      from: severalOf(random, 0, 2, from),
      to: severalOf(random, 0, 2, to),
    }));
  return { deny: rules("x/deny", 0, 2), allow: random() < 0.2 ? null : rules("x/allow", 0, 3) };
}

const drawInput = (random: () => number): authorize.AuthorizationInput =>
  input({
    caller: random() < 0.2 ? null : callerOf(oneOf(random, NAMES), oneOf(random, NAMES)),
    host: oneOf(random, HOSTS),
    port: oneOf(random, [80, 443, 8080]),
    method: oneOf(random, METHODS),
    path: oneOf(random, PATHS),
  });

test("decides as the slow reference does", () => {
  const random = seeded(1);
  const seen = new Map<string, number>();
  for (let round = 0; round < 30_000; round++) {
    const authorization = drawAuthorization(random);
    const request = drawInput(random);
    const decision = authorize.authorize(authorization, request);
    expect(decision).toEqual(slowAuthorize(authorization, request));
    const way = `${decision.kind}, ${decision.by === null ? "by default" : "by a rule"}`;
    seen.set(way, (seen.get(way) ?? 0) + 1);
  }
  // All four ways of deciding were met often: the comparison is worth something.
  expect(seen.size).toBe(4);
  expect(Math.min(...seen.values())).toBeGreaterThan(2000);
});

test("adding a DENY rule never adds an allow, adding an ALLOW rule never a deny", () => {
  const random = seeded(2);
  for (let round = 0; round < 10_000; round++) {
    const { deny, allow } = drawAuthorization(random);
    const more = drawAuthorization(random);
    const request = drawInput(random);
    const before = authorize.authorize({ deny, allow }, request).kind;
    const withDeny = authorize.authorize({ deny: [...deny, ...more.deny], allow }, request).kind;
    expect(before === "deny" && withDeny === "allow").toBe(false);

    const wider = allow === null ? null : [...allow, ...(more.allow ?? [])];
    const withAllow = authorize.authorize({ deny, allow: wider }, request).kind;
    expect(before === "allow" && withAllow === "deny").toBe(false);
  }
});

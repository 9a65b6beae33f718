import { expect, test } from "vitest";
import { authorize, principalOf, type AuthorizationInput } from "../../shared/engine/authorize.ts";
import * as intention from "../../shared/engine/intention.ts";
import { oneOf, seeded } from "./random.ts";

const EVERYTHING = { path: null, methods: [], headers: [] } as const;

function intend(source: intention.IntentionSource, ...permissions: readonly intention.Permission[]) {
  return { policy: "shop/web", rule: 0, source, permissions };
}

const ANYONE: intention.IntentionSource = { kind: "anyone" };
const API: intention.IntentionSource = { kind: "principal", principal: "mesh.test/ns/shop/sa/api" };
const SHOP: intention.IntentionSource = { kind: "namespace", namespace: "shop" };

function call(serviceAccount: string | null, more: Partial<AuthorizationInput> = {}): AuthorizationInput {
  const known = { trustDomain: "mesh.test", namespace: "shop", serviceAccount: serviceAccount ?? "" };
  const caller = serviceAccount === null ? null : { ...known, principal: principalOf(known) };
  return {
    caller,
    host: "web",
    port: 80,
    method: "GET",
    path: "/a/b",
    headers: new Headers(),
    now: 0,
    ...more,
  };
}

function header(
  kind: intention.HeaderCondition["kind"],
  value: string,
  more: Partial<intention.HeaderCondition> = {},
): intention.Permission {
  const condition = { name: "x-a", kind, value, ignoresCase: false, isInverted: false, ...more };
  return { ...EVERYTHING, action: "allow", headers: [condition] };
}

const ALLOW: intention.Permission = { ...EVERYTHING, action: "allow" };
const DENY: intention.Permission = { ...EVERYTHING, action: "deny" };

test.each<
  [
    what: string,
    intentions: readonly intention.Intention[],
    input: AuthorizationInput,
    verdict: string | null,
  ]
>([
  ["nothing is intended", [], call("api"), null],
  [
    "the first that is about the caller decides",
    [intend(API, ALLOW), intend(ANYONE, DENY)],
    call("api"),
    "allow",
  ],
  ["others are passed over", [intend(API, ALLOW), intend(ANYONE, DENY)], call("web"), "deny"],
  ["a namespace is its callers", [intend(SHOP, ALLOW)], call("web"), "allow"],
  ["nobody is of a namespace without proof", [intend(SHOP, ALLOW)], call(null), null],
  ["anyone is nobody, too", [intend(ANYONE, DENY)], call(null), "deny"],
  [
    "the first permission that matches decides",
    [intend(API, { ...DENY, path: { kind: "prefix", value: "/a/" } }, ALLOW)],
    call("api"),
    "deny",
  ],
  [
    "without one the next intention is not asked",
    [intend(API, { ...ALLOW, path: { kind: "exact", value: "/" } }), intend(ANYONE, ALLOW)],
    call("api"),
    null,
  ],
  [
    "a method counts",
    [intend(API, { ...ALLOW, methods: ["PUT", "POST"] })],
    call("api", { method: "POST" }),
    "allow",
  ],
  ["another does not", [intend(API, { ...ALLOW, methods: ["PUT"] })], call("api"), null],
])("%s", (_, intentions, input, verdict) => {
  expect(intention.decide(intentions, input)?.kind ?? null).toBe(verdict);
});

test.each<[permission: intention.Permission, sent: string | null, holds: boolean]>([
  [header("exact", "bc"), "bc", true],
  [header("exact", "bc"), "b", false],
  [header("exact", "bc", { ignoresCase: true }), "BC", true],
  [header("exact", "bc"), "BC", false],
  [header("prefix", "b"), "bc", true],
  [header("suffix", "c"), "bc", true],
  [header("suffix", "b"), "bc", false],
  [header("contains", "c"), "bcd", true],
  [header("present", ""), "", true],
  [header("present", ""), null, false],
  [header("present", "", { isInverted: true }), null, true],
  [header("exact", "bc", { isInverted: true }), null, true],
  [header("exact", "bc", { isInverted: true }), "bc", false],
])("%j with %j: %j", (permission, sent, holds) => {
  const headers = new Headers(sent === null ? {} : { "x-a": sent });
  const verdict = intention.decide([intend(ANYONE, permission)], call(null, { headers }));
  expect(verdict !== null).toBe(holds);
});

test.each<[action: "allow" | "deny", isInverted: boolean, sent: string, holds: boolean]>([
  ["deny", false, "x, bc", true],
  ["deny", false, "x,bc ,y", true],
  ["deny", false, "x, bcd", false],
  ["allow", false, "x, bc", false],
  ["allow", true, "x, bc", false],
  ["allow", true, "x, y", true],
  ["deny", true, "x, bc", true],
  ["deny", true, "bc", false],
])("%s with inverted %s and the lines %s: %s", (action, isInverted, sent, holds) => {
  const permission = { ...header("exact", "bc", { isInverted }), action };
  const input = call(null, { headers: new Headers({ "x-a": sent }) });
  expect(intention.decide([intend(ANYONE, permission)], input) !== null).toBe(holds);
});

test("intentions stand between DENY and ALLOW policies", () => {
  const rule = { policy: "p", rule: 0, from: [], to: [] };
  const intentions = [intend(API, ALLOW)];
  expect([
    authorize({ deny: [rule], allow: null, intentions }, call("api")),
    authorize({ deny: [], allow: [], intentions }, call("api")),
    authorize({ deny: [], allow: [], intentions }, call("web")),
    authorize({ deny: [], allow: null, intentions }, call("web")),
  ]).toEqual([
    { kind: "deny", by: "p[0]" },
    { kind: "allow", by: "shop/web[0]" },
    { kind: "deny", by: null },
    { kind: "allow", by: null },
  ]);
});

test("the order is total: whatever the list was, it is sorted alike", () => {
  const random = seeded(1);
  const names = ["*", "a", "b"];
  const all = names.flatMap((sourceNamespace) =>
    names.flatMap((source) =>
      names.flatMap((destinationNamespace) =>
        names.map((destination) => ({ sourceNamespace, source, destinationNamespace, destination })),
      ),
    ),
  );
  const sorted = all.toSorted(intention.compare);
  for (let run = 0; run < 20; run += 1) {
    const shuffled = all.map((one) => ({ one, at: random() })).sort((a, b) => a.at - b.at);
    expect(shuffled.map(({ one }) => one).sort(intention.compare)).toEqual(sorted);
  }
});

test("tells how each of them fares, in their order", () => {
  const intentions = [
    { ...intend(API, DENY), rule: 0 },
    { ...intend(SHOP, { ...ALLOW, methods: ["PUT"] }, ALLOW), rule: 1 },
    { ...intend(ANYONE, DENY), rule: 2 },
  ];
  const verdicts = (input: AuthorizationInput) =>
    intention.trace(intentions, input).map(({ rule, verdict }) => `${rule} ${verdict}`);
  expect(verdicts(call("api"))).toEqual(["0 matches", "1 outranked", "2 outranked"]);
  expect(verdicts(call("web"))).toEqual(["0 from", "1 matches", "2 outranked"]);
  expect(verdicts(call(null))).toEqual(["0 from", "1 from", "2 matches"]);
  const put = [intend(SHOP, { ...ALLOW, methods: ["PUT"] }), intend(ANYONE, DENY)];
  expect(intention.trace(put, call("web"))).toEqual([
    { policy: "shop/web", rule: 0, verdict: "to" },
    { policy: "shop/web", rule: 0, verdict: "outranked" },
  ]);
});

test("what is told agrees with what is decided", () => {
  const random = seeded(17);
  for (let turn = 0; turn < 2_000; turn++) {
    const intentions = Array.from({ length: Math.floor(random() * 5) }, (_, rule) => ({
      ...intend(
        oneOf(random, [API, SHOP, ANYONE]),
        { ...oneOf(random, [ALLOW, DENY]), methods: oneOf(random, [[], ["GET"], ["PUT"]]) },
        oneOf(random, [ALLOW, { ...DENY, methods: ["PUT"] }]),
      ),
      rule,
    }));
    const input = call(oneOf(random, ["api", "web", null]), { method: oneOf(random, ["GET", "PUT"]) });
    const deciding = intention.trace(intentions, input).filter(({ verdict }) => verdict === "matches");
    const by = intention.decide(intentions, input)?.by;
    expect(deciding.map(({ policy, rule }) => `${policy}[${rule}]`)).toEqual(by === undefined ? [] : [by]);
  }
});

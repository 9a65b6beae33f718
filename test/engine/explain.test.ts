import { expect, test } from "vitest";
import { callerOf } from "../../shared/identity/spiffe.ts";
import { explain } from "../../shared/engine/explain.ts";
import * as route from "../../shared/engine/route.ts";
import { compilePattern, equal, exact, prefix, setOf, viewOf, type Condition } from "./routes.ts";

const RULES: readonly Condition[] = [
  { path: exact("/other") },
  { path: prefix("/a"), method: "POST" },
  { path: prefix("/a"), headers: [equal("end-user", "jason"), equal("x", "1")] },
  { path: prefix("/a"), query: [equal("debug", "1")] },
  { path: prefix("/a"), callers: [{ namespaces: [{ kind: "exact", value: "shop" }] }] },
  { path: prefix("/a") },
  { path: prefix("/b") },
  { path: prefix("/") },
];

const SHOP = callerOf({ trustDomain: "mesh.test", namespace: "shop", serviceAccount: "web" });

function verdicts(target: string, call = {}, caller: typeof SHOP | null = null, limit = 100) {
  const table = route.index(setOf(RULES), compilePattern);
  const { candidates, omitted, match } = explain(table, viewOf(target, call), caller, limit);
  const told = candidates.map((one) => `${one.match.action.rule} ${one.verdict}`);
  return { told, omitted, rule: match?.action.rule ?? null };
}

test.each([
  {
    who: "nobody",
    target: "/a/1",
    expected: ["path", "method", "headers", "query", "callers", "decides", "path", "later"],
  },
  {
    who: "a POST with all that is asked for",
    target: "/a?debug=1",
    call: { method: "POST", headers: { "end-user": "jason", x: "1" } },
    caller: SHOP,
    expected: ["path", "decides", "later", "later", "later", "later", "path", "later"],
  },
  {
    who: "half of the headers",
    target: "/a",
    call: { headers: { x: "1" } },
    caller: SHOP,
    expected: ["path", "method", "headers", "query", "decides", "later", "path", "later"],
  },
])("tells of every rule why it does not decide: $who", ({ target, call = {}, caller = null, expected }) => {
  const { told, omitted, rule } = verdicts(target, call, caller);

  expect(told).toEqual(expected.map((verdict, index) => `${index} ${verdict}`));
  expect(omitted).toBe(0);
  expect(rule).toBe(String(expected.indexOf("decides")));
});

test.each([
  [7, ["0 path", "1 method", "2 headers", "3 query", "4 callers", "5 decides", "7 later"], 1],
  [6, ["1 method", "2 headers", "3 query", "4 callers", "5 decides", "7 later"], 2],
])(
  "leaves out rules for other paths first, the last of them before others: at most %d",
  (limit, told, omitted) => {
    expect(verdicts("/a", {}, null, limit)).toEqual({ told, omitted, rule: "5" });
  },
);

test("says that no rule decides", () => {
  const table = route.index(setOf([{ path: prefix("/b") }]), compilePattern);

  expect(explain(table, viewOf("/a"), null, 10)).toMatchObject({
    candidates: [{ verdict: "path" }],
    omitted: 0,
    match: null,
  });
});

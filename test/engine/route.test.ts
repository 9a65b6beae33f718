import { expect, test } from "vitest";
import { principalOf, type Caller } from "../../shared/engine/authorize.ts";
import * as route from "../../shared/engine/route.ts";
import { compilePattern, equal, exact, prefix, setOf, viewOf, type Call, type Condition } from "./routes.ts";

/** The index of the rule that wins, or `null`. */
function winner(conditions: readonly Condition[], target: string, call?: Call): number | null {
  const found = route.match(route.index(setOf(conditions), compilePattern), viewOf(target, call), null);
  return found === null ? null : Number(found.action.rule);
}

test.each([
  [exact("/foo"), "/foo", true],
  [exact("/foo"), "/foo/", false],
  [exact("/foo"), "/foo/bar", false],
  [exact("/foo"), "/Foo", false],
  [exact("/foo"), "/foo?x=1", true],
  [exact("/foo/"), "/foo/", true],
  [exact("/foo/"), "/foo", false],
  [exact("/"), "/", true],
  [exact("/"), "/foo", false],
  [prefix("/"), "/", true],
  [prefix("/"), "/foo", true],
  [prefix("/"), "/foo/bar/qux", true],
  [prefix("/foo"), "/foo", true],
  [prefix("/foo"), "/foo/", true],
  [prefix("/foo"), "/foo/bar", true],
  [prefix("/foo"), "/foo/bar/", true],
  [prefix("/foo"), "/foobar", false],
  [prefix("/foo"), "/fo", false],
  [prefix("/foo"), "/", false],
  [prefix("/foo"), "/bar/foo", false],
  [prefix("/foo/bar"), "/foo", false],
  [prefix("/foo/bar"), "/foo/bar/baz", true],
  [prefix("/foo/bar"), "/foo/barbaz", false],
  [prefix("/__proto__"), "/constructor", false],
])("path %j, request %s: %s", (path, target, expected) => {
  expect(winner([{ path }], target)).toBe(expected ? 0 : null);
});

test.each<[name: string, condition: Condition, call: Call & { target: string }, expected: boolean]>([
  ["method", { method: "POST" }, { target: "/", method: "POST" }, true],
  ["another method", { method: "POST" }, { target: "/" }, false],
  ["method in another case", { method: "POST" }, { target: "/", method: "post" }, false],
  ["header", { headers: [equal("x-a", "1")] }, { target: "/", headers: { "X-A": "1" } }, true],
  [
    "header of another value",
    { headers: [equal("x-a", "1")] },
    { target: "/", headers: { "x-a": "11" } },
    false,
  ],
  ["header that is missing", { headers: [equal("x-a", "")] }, { target: "/" }, false],
  ["header that is empty", { headers: [equal("x-a", "")] }, { target: "/", headers: { "x-a": "" } }, true],
  [
    "one header of two",
    { headers: [equal("x-a", "1"), equal("x-b", "2")] },
    { target: "/", headers: { "x-a": "1" } },
    false,
  ],
  ["query", { query: [equal("a", "b")] }, { target: "/?z&a=b" }, true],
  ["query in another case", { query: [equal("a", "b")] }, { target: "/?A=b" }, false],
  ["query of another value", { query: [equal("a", "b")] }, { target: "/?a=bb" }, false],
  ["query that is missing", { query: [equal("a", "")] }, { target: "/" }, false],
  ["query that is empty", { query: [equal("a", "")] }, { target: "/?a" }, true],
  ["encoded query", { query: [equal("a b", "ü&")] }, { target: "/?a+b=%C3%BC%26" }, true],
  ["first of repeated parameters", { query: [equal("a", "1")] }, { target: "/?a=1&a=2" }, true],
  ["second of repeated parameters", { query: [equal("a", "2")] }, { target: "/?a=1&a=2" }, false],
  ["one parameter of two", { query: [equal("a", "1"), equal("b", "2")] }, { target: "/?a=1" }, false],
  [
    "everything at once",
    { path: prefix("/p"), method: "PUT", headers: [equal("x-a", "1")], query: [equal("a", "1")] },
    { target: "/p/q?a=1", method: "PUT", headers: { "x-a": "1" } },
    true,
  ],
])("%s", (_name, condition, call, expected) => {
  expect(winner([condition], call.target, call)).toBe(expected ? 0 : null);
});

const withText = (value: string): route.PathMatch => ({ kind: "text-prefix", value });
const pattern = (value: string): route.PathMatch => ({ kind: "regex", value });
const anyCase = (path: route.PathMatch): route.PathMatch => ({ ...path, ignoresCase: true });

test.each([
  [withText("/foo"), "/foo", true],
  [withText("/foo"), "/foobar", true],
  [withText("/foo"), "/foo/bar", true],
  [withText("/foo"), "/fo", false],
  [withText("/foo/"), "/foo", false],
  [withText("/foo/"), "/foo/", true],
  [withText("/foo/b"), "/foo/bar", true],
  [withText("/"), "/", true],
  [withText("/foo"), "/Foo", false],
  [anyCase(withText("/foo/B")), "/Foo/bAR", true],
  [anyCase(withText("/foo/B")), "/Foo/cAR", false],
  [anyCase(exact("/Foo")), "/fOO", true],
  [anyCase(exact("/Foo")), "/fOO/", false],
  [anyCase(prefix("/Foo")), "/fOO/Bar", true],
  [anyCase(prefix("/Foo")), "/fOOBar", false],
  [anyCase(prefix("/")), "/x", true],
  [pattern("/foo/\\d+"), "/foo/12", true],
  [pattern("/foo/\\d+"), "/foo/12x", false],
  [pattern("/foo/\\d+"), "/x/foo/12", false],
  [pattern("/a|/b"), "/b", true],
  [pattern("/a|/b"), "/b/c", false],
])("path %j, request %s: %s", (path, target, expected) => {
  expect(winner([{ path }], target)).toBe(expected ? 0 : null);
});

type Comparison = Omit<route.ValueMatch, "name">;
const inverted = (match: Comparison): Comparison => ({ ...match, isInverted: true });
const caseless = (match: Comparison): Comparison => ({ ...match, ignoresCase: true });
const EXACT: Comparison = { kind: "exact", value: "bar" };
const PRESENT: Comparison = { kind: "present", value: "" };

test.each<[match: Comparison, value: string | null, expected: boolean]>([
  [{ kind: "prefix", value: "ba" }, "bar", true],
  [{ kind: "prefix", value: "ba" }, "aba", false],
  [{ kind: "suffix", value: "ar" }, "bar", true],
  [{ kind: "suffix", value: "ar" }, "arb", false],
  [{ kind: "contains", value: "a" }, "bar", true],
  [{ kind: "contains", value: "x" }, "bar", false],
  [{ kind: "contains", value: "" }, "", true],
  [{ kind: "contains", value: "" }, null, false],
  [PRESENT, "bar", true],
  [PRESENT, "", true],
  [PRESENT, null, false],
  [inverted(PRESENT), "", false],
  [inverted(PRESENT), null, true],
  [{ kind: "regex", value: "ba[rz]" }, "baz", true],
  [{ kind: "regex", value: "ba[rz]" }, "bazz", false],
  [{ kind: "regex", value: ".*" }, null, false],
  [inverted({ kind: "regex", value: "ba[rz]" }), "bazz", true],
  [inverted({ kind: "regex", value: "ba[rz]" }), "baz", false],
  [EXACT, "BAR", false],
  [caseless(EXACT), "BAR", true],
  [caseless({ kind: "exact", value: "Bar" }), "bAR", true],
  [caseless({ kind: "prefix", value: "B" }), "bar", true],
  [caseless({ kind: "suffix", value: "R" }), "bar", true],
  [caseless({ kind: "contains", value: "A" }), "bar", true],
  [inverted(EXACT), "baz", true],
  [inverted(EXACT), "bar", false],
  [inverted(EXACT), null, true],
  [inverted(caseless(EXACT)), "BAR", false],
])("%j of %j: %s", (comparison, value, expected) => {
  const match = { name: "foo", ...comparison };
  const headers: Record<string, string> = value === null ? {} : { foo: value };
  expect(winner([{ headers: [match] }], "/", { headers })).toBe(expected ? 0 : null);
  expect(winner([{ query: [match] }], value === null ? "/" : `/?foo=${value}`)).toBe(expected ? 0 : null);
});

function callerFrom(namespace: string): Caller {
  const workload = { trustDomain: "mesh.test", namespace, serviceAccount: "web" };
  return { ...workload, principal: principalOf(workload) };
}

test.each([
  ["from its namespace", callerFrom("shop"), "0"],
  ["from elsewhere", callerFrom("bank"), "1"],
  ["unproved", null, "1"],
])("an entry for one namespace's callers and a caller %s", (_name, caller, rule) => {
  const callers = [{ namespaces: [{ kind: "exact" as const, value: "shop" }] }];
  const table = route.index(setOf([{ callers }, {}]), compilePattern);
  expect(route.match(table, viewOf("/"), caller)?.action.rule).toBe(rule);
});

test.each<[obstacle: route.Part | null, condition: Condition]>([
  [null, { path: exact("/a"), method: "GET" }],
  ["path", { path: exact("/b"), method: "POST" }],
  ["path", { path: prefix("/a/b") }],
  ["path", { path: pattern("/b") }],
  [null, { path: anyCase(prefix("/A")) }],
  ["method", { method: "POST", headers: [equal("x-a", "1")] }],
  ["headers", { headers: [equal("x-a", "1")], query: [equal("a", "1")] }],
  ["query", { query: [equal("a", "1")], callers: [{ namespaces: [] }] }],
  ["callers", { callers: [{ namespaces: [] }] }],
])("what keeps a rule from matching is %s", (expected, condition) => {
  const { rules } = route.index(setOf([condition]), compilePattern);
  expect(rules.map((rule) => route.obstacle(rule, viewOf("/a"), callerFrom("shop")))).toEqual([expected]);
});

test.each<[name: string, pathOf: (n: number) => route.PathMatch]>([
  ["whole paths", (n) => exact(`/area-${n}/items/1`)],
  ["prefixes", (n) => prefix(`/area-${n}`)],
  ["text prefixes", (n) => withText(`/area-${n}/`)],
  ["whole paths in any case", (n) => anyCase(exact(`/AREA-${n}/items/1`))],
  ["prefixes in any case", (n) => anyCase(prefix(`/AREA-${n}`))],
  ["text prefixes in any case", (n) => anyCase(withText(`/AREA-${n}/`))],
])("of 10,000 %s only the one that covers the request is tried", (_name, pathOf) => {
  const conditions = Array.from({ length: 10_000 }, (_, n) => ({ path: pathOf(n), method: "POST" }));
  const table = route.index(setOf(conditions), compilePattern);
  let tried = 0;
  const view = {
    ...viewOf("/area-777/items/1"),
    get method() {
      tried += 1;
      return "GET";
    },
  };
  expect([route.match(table, view, null), tried]).toEqual([null, 1]);
});

test("a regular expression that is none breaks the set", () => {
  expect(() => route.index(setOf([{ path: pattern("(") }]), compilePattern)).toThrow(SyntaxError);
});

test("a match has the faults of its rule", () => {
  const set = setOf([{}, { path: exact("/b") }]);
  const own = { policy: "shop/f", match: { headers: [], callers: [] }, expiresAt: null };
  const actions = set.actions.map((action, at) => (at === 0 ? { ...action, faults: [own] } : action));
  const table = route.index({ entries: set.entries.toReversed(), actions }, compilePattern);
  const faultsAt = (path: string) => route.match(table, viewOf(path), null)?.faults.map(({ fault }) => fault);
  expect([faultsAt("/a"), faultsAt("/b")]).toEqual([[own], []]);
});

test("a header sent twice is compared as one value joined by a comma", () => {
  const view = viewOf("/");
  const headers = new Headers([
    ["x-a", "1"],
    ["x-a", "2"],
  ]);
  const table = route.index(
    setOf([{ headers: [equal("x-a", "1")] }, { headers: [equal("x-a", "1, 2")] }]),
    compilePattern,
  );
  expect(route.match(table, { ...view, headers }, null)?.action.rule).toBe("1");
});

test.each<[name: string, conditions: Condition[], target: string, expected: number | null]>([
  ["no rule at all", [], "/", null],
  ["identical rules", [{}, {}, {}], "/", 0],
  [
    "a short prefix that stands before an exact path",
    [{ path: prefix("/a") }, { path: exact("/a/b") }],
    "/a/b",
    0,
  ],
  [
    "an exact path that stands before its prefix",
    [{ path: exact("/a/b") }, { path: prefix("/a") }],
    "/a/b",
    0,
  ],
  [
    "a short prefix that stands before a long one",
    [{ path: prefix("/a") }, { path: prefix("/a/b") }],
    "/a/b",
    0,
  ],
  [
    "the first that holds, across all lists",
    [
      { path: exact("/a/b"), method: "POST" },
      { path: prefix("/"), headers: [equal("x-a", "1")] },
      { path: prefix("/a/b"), query: [equal("q", "1")] },
      { path: prefix("/a") },
      { path: exact("/a/b") },
    ],
    "/a/b?q=2",
    3,
  ],
])("%s", (_name, conditions, target, expected) => {
  expect(winner(conditions, target)).toBe(expected);
});

test("a match names its entry and its action", () => {
  const set = setOf([{ path: exact("/a") }, { path: prefix("/b") }]);
  const found = route.match(route.index(set, compilePattern), viewOf("/b/c"), null);
  expect(found).toEqual({ entry: set.entries[1], action: set.actions[1], faults: [] });
});

test("entries may share an action", () => {
  const set = setOf([{}]);
  const entries = ["/a", "/b"].map((path) => ({ path: exact(path), headers: [], query: [], action: 0 }));
  const table = route.index({ ...set, entries }, compilePattern);
  expect(["/a", "/b"].map((path) => route.match(table, viewOf(path), null)?.action)).toEqual([
    set.actions[0],
    set.actions[0],
  ]);
});

test("an entry without its action breaks the set", () => {
  expect(() => route.index({ ...setOf([{}]), actions: [] }, compilePattern)).toThrow(
    "route entry 0 has no action 0",
  );
});

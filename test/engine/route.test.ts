import { describe, expect, test } from "vitest";
import type { RequestView } from "../../shared/engine/request.ts";
import * as route from "../../shared/engine/route.ts";
import { oneOf, seeded, severalOf } from "./random.ts";

type Condition = Partial<Omit<route.RouteEntry, "action">>;

const prefix = (value: string): route.PathMatch => ({ kind: "prefix", value });
const exact = (value: string): route.PathMatch => ({ kind: "exact", value });
const equal = (name: string, value: string): route.ValueMatch => ({ kind: "exact", name, value });

/** The platform's own expressions: none here takes long. */
const compilePattern: route.CompilePattern = (source) => {
  const expression = new RegExp(`^(?:${source})$`);
  return (text) => expression.test(text);
};

/** A route set whose rule `i` is the i-th condition. */
function setOf(conditions: readonly Condition[]): route.RouteSet {
  return {
    entries: conditions.map((condition, action) => ({
      path: prefix("/"),
      headers: [],
      query: [],
      ...condition,
      action,
    })),
    actions: conditions.map((_condition, rule) => ({
      route: "shop/r",
      rule: `${rule}`,
      filters: {},
      backends: [],
    })),
  };
}

interface Call {
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

function viewOf(target: string, call: Call = {}): RequestView {
  const [path = "", query = ""] = target.split("?");
  return {
    method: call.method ?? "GET",
    scheme: "http",
    authority: "a.test",
    host: "a.test",
    port: 80,
    path,
    query,
    headers: new Headers(call.headers),
  };
}

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

describe("of random sets and requests", () => {
  const SEGMENTS = ["a", "b", "ab", "%2B"];
  const VALUES = ["1", "2"];
  const random = seeded(6);
  const chance = (ratio: number) => random() < ratio;
  const drawPath = (max: number) => `/${severalOf(random, 0, max, () => oneOf(random, SEGMENTS)).join("/")}`;
  const drawValues = (names: readonly string[]) => {
    return names.filter(() => chance(0.2)).map((name) => equal(name, oneOf(random, VALUES)));
  };
  const drawCondition = (): Condition => ({
    path: { kind: oneOf(random, ["exact", "prefix"] as const), value: drawPath(3) },
    headers: drawValues(["x-a", "x-b"]),
    query: drawValues(["p", "q"]),
    ...(chance(0.2) ? { method: oneOf(random, ["GET", "POST"]) } : {}),
  });
  const drawView = (): RequestView => {
    const path = drawPath(4);
    const slash = chance(0.2) && path !== "/" ? "/" : "";
    const query = severalOf(random, 0, 3, () => `${oneOf(random, ["p", "q"])}=${oneOf(random, VALUES)}`);
    const headers = Object.fromEntries(
      ["x-a", "x-b"].filter(() => chance(0.5)).map((name) => [name, oneOf(random, VALUES)]),
    );
    return viewOf(`${path}${slash}?${query.join("&")}`, { method: oneOf(random, ["GET", "POST"]), headers });
  };

  test("the table finds what a search one by one finds", () => {
    let misses = 0;
    for (let round = 0; round < 1_000; round++) {
      const set = setOf(severalOf(random, 0, 30, drawCondition));
      const table = route.index(set, compilePattern);
      for (let call = 0; call < 25; call++) {
        const view = drawView();
        const entry = set.entries.find((candidate) => matchesSlowly(candidate, view)) ?? null;
        misses += entry === null ? 1 : 0;
        // Identity, which `toBe` compares too slowly for so many.
        if ((route.match(table, view, null)?.entry ?? null) !== entry) expect({ set, view }).toBe(entry);
      }
    }
    expect(misses).toBeGreaterThan(1_000);
    expect(misses).toBeLessThan(20_000);
  });
});

/** The meaning of an entry, word by word. */
function matchesSlowly(entry: route.RouteEntry, view: RequestView): boolean {
  const wanted = entry.path.value.split("/").filter((segment) => segment !== "");
  const given = view.path.split("/").slice(1);
  const parameters = new URLSearchParams(view.query);
  return (
    (entry.path.kind === "exact"
      ? entry.path.value === view.path
      : wanted.every((segment, index) => given[index] === segment)) &&
    (entry.method ?? view.method) === view.method &&
    entry.headers.every((header) => view.headers.get(header.name) === header.value) &&
    entry.query.every((parameter) => parameters.get(parameter.name) === parameter.value)
  );
}

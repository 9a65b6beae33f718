import { expect, test } from "vitest";
import { principalOf, type Caller } from "../../shared/engine/authorize.ts";
import type { RequestView } from "../../shared/engine/request.ts";
import * as route from "../../shared/engine/route.ts";
import { oneOf, seeded, severalOf } from "./random.ts";
import { compilePattern, setOf, viewOf, type Condition } from "./routes.ts";

/** Pairs of a set and a request that are compared. `PROPERTY_RUNS=100000` for a longer look. */
const RUNS = Number(process.env["PROPERTY_RUNS"] ?? 20_000);
const REQUESTS_PER_SET = 10;

const SEGMENTS = ["a", "b", "ab", "A", "%2B"];
const VALUES = ["1", "2", "12", "a", "A", ""];
const PATTERNS = ["[12]", "1.*", "(a|2)+", "", ".*"];
const PATH_PATTERNS = ["/a/.*", "/(a|b)", "/.b", "/[^/]+/b", "(?:/a)+", "/"];
const COMPARISONS = ["exact", "prefix", "suffix", "contains", "present"] as const;

const random = seeded(6);
const chance = (ratio: number) => random() < ratio;
const drawPath = (max: number) => `/${severalOf(random, 0, max, () => oneOf(random, SEGMENTS)).join("/")}`;

function drawPathMatch(): route.PathMatch {
  if (chance(0.1)) return { kind: "regex", value: oneOf(random, PATH_PATTERNS) };
  const kind = oneOf(random, ["exact", "prefix", "text-prefix"] as const);
  const ignored = chance(0.2) ? ({ ignoresCase: true } as const) : {};
  return { kind, value: drawPath(3), ...ignored };
}

function drawValueMatch(name: string): route.ValueMatch {
  const flags = {
    ...(chance(0.2) ? ({ isInverted: true } as const) : {}),
    ...(chance(0.2) ? ({ ignoresCase: true } as const) : {}),
  };
  if (chance(0.2)) return { name, kind: "regex", value: oneOf(random, PATTERNS), ...flags };
  const kind = oneOf(random, COMPARISONS);
  return { name, kind, value: kind === "present" ? "" : oneOf(random, VALUES), ...flags };
}

const drawValueMatches = (names: readonly string[]) => names.filter(() => chance(0.2)).map(drawValueMatch);

function drawCondition(): Condition {
  return {
    path: drawPathMatch(),
    headers: drawValueMatches(["x-a", "x-b"]),
    query: drawValueMatches(["p", "q"]),
    ...(chance(0.2) ? { method: oneOf(random, ["GET", "POST"]) } : {}),
    ...(chance(0.1)
      ? { callers: [{ namespaces: [{ kind: "exact", value: oneOf(random, ["x", "y"]) }] }] }
      : {}),
  };
}

function drawView(): RequestView {
  const path = drawPath(4);
  const slash = chance(0.2) && path !== "/" ? "/" : "";
  const query = severalOf(random, 0, 3, () => `${oneOf(random, ["p", "q"])}=${oneOf(random, VALUES)}`);
  const headers = Object.fromEntries(
    ["x-a", "x-b"].filter(() => chance(0.5)).map((name) => [name, oneOf(random, VALUES)]),
  );
  return viewOf(`${path}${slash}?${query.join("&")}`, { method: oneOf(random, ["GET", "POST"]), headers });
}

function drawCaller(): Caller | null {
  if (chance(0.3)) return null;
  const workload = { trustDomain: "t", namespace: oneOf(random, ["x", "y"]), serviceAccount: "s" };
  return { ...workload, principal: principalOf(workload) };
}

test(`the table, and an explanation, find what a search one by one finds, ${RUNS} times`, () => {
  const won = new Map<string, number>();
  for (let run = 0; run < RUNS; run += REQUESTS_PER_SET) {
    const set = setOf(severalOf(random, 0, 40, drawCondition));
    const table = route.index(set, compilePattern);
    for (let call = 0; call < REQUESTS_PER_SET; call++) {
      const view = drawView();
      const caller = drawCaller();
      const entry = set.entries.find((candidate) => matchesSlowly(candidate, view, caller)) ?? null;
      const kind = entry?.path.kind ?? "none";
      won.set(kind, (won.get(kind) ?? 0) + 1);
      // Identity, which `toBe` compares too slowly for so many.
      const found = route.match(table, view, caller)?.entry ?? null;
      if (found !== entry) expect({ set, view, caller, found }).toBe(entry);
      const explained = table.rules.find((rule) => route.obstacle(rule, view, caller) === null);
      if ((explained?.match.entry ?? null) !== entry) expect({ set, view, caller, explained }).toBe(entry);
    }
  }
  // Each kind decides often enough for the comparison to say something of it.
  expect([...won.keys()].sort()).toEqual(["exact", "none", "prefix", "regex", "text-prefix"]);
  expect(Math.min(...won.values())).toBeGreaterThan(RUNS / 50);
}, 60_000);

/** The meaning of an entry, word by word. */
function matchesSlowly(entry: route.RouteEntry, view: RequestView, caller: Caller | null): boolean {
  const parameters = new URLSearchParams(view.query);
  return (
    pathMatchesSlowly(entry.path, view.path) &&
    (entry.method ?? view.method) === view.method &&
    entry.headers.every((header) => valueMatchesSlowly(header, view.headers.get(header.name))) &&
    entry.query.every((parameter) => valueMatchesSlowly(parameter, parameters.get(parameter.name))) &&
    (entry.callers ?? [{}]).some(
      ({ namespaces }) =>
        namespaces === undefined ||
        namespaces.some((wanted) => wanted.kind === "exact" && wanted.value === caller?.namespace),
    )
  );
}

function pathMatchesSlowly({ kind, value, ignoresCase }: route.PathMatch, path: string): boolean {
  if (ignoresCase === true) {
    return pathMatchesSlowly({ kind, value: value.toLowerCase() }, path.toLowerCase());
  }
  const wanted = value.split("/").filter((segment) => segment !== "");
  const given = path.split("/").slice(1);
  switch (kind) {
    case "exact":
      return value === path;
    case "prefix":
      return wanted.every((segment, index) => given[index] === segment);
    case "text-prefix":
      return path.slice(0, value.length) === value;
    case "regex":
      return new RegExp(`^(${value})$`).test(path);
  }
}

function valueMatchesSlowly(match: route.ValueMatch, given: string | null): boolean {
  if (match.isInverted === true) {
    const { isInverted: _inverted, ...plain } = match;
    return !valueMatchesSlowly(plain, given);
  }
  if (given === null) return false;
  const { kind, value } = match;
  const [wanted, text] =
    match.ignoresCase === true ? [value.toLowerCase(), given.toLowerCase()] : [value, given];
  switch (kind) {
    case "exact":
      return text === wanted;
    case "prefix":
      return text.slice(0, wanted.length) === wanted;
    case "suffix":
      return wanted === "" || text.slice(-wanted.length) === wanted;
    case "contains":
      return text.split(wanted).length > 1 || wanted === "";
    case "present":
      return true;
    case "regex":
      return new RegExp(`^(${value})$`).test(given);
  }
}

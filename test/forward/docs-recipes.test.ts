/** The recipes of the documentation do what they promise: compiled, and carried by the loop. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compileUnit, references } from "../../shared/compile/compile.ts";
import { virtualHostKey, type Unit } from "../../shared/engine/snapshot.ts";
import type { Locality } from "../../shared/engine/locality.ts";
import { carry, type Goal } from "../../shared/forward/carry.ts";
import { callerOf } from "../../shared/identity/spiffe.ts";
import { worldOf } from "../compile/worlds.ts";
import { never, ok, reception, setUp, TO_REVIEWS, unavailable, unreachable } from "../fakes/loop.ts";
import { TRUST_DOMAIN } from "../fakes/units.ts";

function textOf(page: string): string {
  return readFileSync(new URL(`../../docs/resources/${page}.md`, import.meta.url), "utf8");
}

function yamlIn(text: string): string[] {
  return [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, yaml = ""]) => yaml);
}

const RECIPES = textOf("recipes");

/** The documents of a recipe; of several the one at `at`. */
function recipe(heading: string, at = 0): string {
  const section = RECIPES.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
  return yamlIn(section)[at] ?? `no recipe ${heading}`;
}

const BASE = [...yamlIn(textOf("services")), ...yamlIn(textOf("gateways")), recipe("Subsets")];

const OTHERS = virtualHostKey("shop/meshes/http", "reviews.other.example");

/** A mesh with the recipe's documents, and the calls that reached an endpoint. */
function meshWith(
  yaml: string,
  answers: readonly (() => Response | Promise<Response>)[] = [ok],
  locality: Locality = { region: "EU", zone: "FRA" },
) {
  const world = worldOf([...BASE, yaml].join("\n---\n"));
  const page = virtualHostKey("shop/public/http", "www.shop.example");
  const units: Record<string, Unit> = {};
  const add = (key: string): void => {
    const unit = compileUnit(world, key);
    if (unit === null || Object.hasOwn(units, key)) return;
    units[key] = unit;
    references(unit).forEach(add);
  };
  [
    "directory",
    "service:shop/reviews",
    "service:shop/web",
    "service:shop/search",
    "service:shop/payments",
    page,
    OTHERS,
  ].forEach(add);
  const reviews = compileUnit(world, "service:shop/reviews");
  if (reviews === null) throw new Error("there are no reviews");
  return setUp(reviews, answers, { more: units, locality });
}

function shop(serviceAccount: string) {
  return callerOf({ trustDomain: TRUST_DOMAIN, namespace: "shop", serviceAccount });
}

interface Visit {
  readonly headers?: Record<string, string>;
  readonly path?: string;
  readonly url?: string;
  readonly as?: string | null;
  readonly goal?: Goal;
  readonly method?: string;
}

type Shop = ReturnType<typeof meshWith>;

/** One call; the answer's status. */
async function call(
  { kit }: Shop,
  { headers = {}, path = "/", url, as = "web", goal = TO_REVIEWS, method = "GET" }: Visit = {},
) {
  const request = new Request(url ?? `http://reviews${path}`, { headers, method });
  const who = reception({
    isFromOutside: goal.kind === "gateway",
    vouched: () => (as === null ? null : shop(as)),
    goalOf: () => goal,
  });
  const response = await kit.run(carry(kit.mesh, request, who));
  return response.status;
}

/** The endpoints that answered, in order. */
function answered({ sent }: Shop): string[] {
  return sent.map(({ line }) => line.split(" ")[0] ?? "");
}

/** How many of a number of calls each endpoint got. */
async function shares(mesh: Shop, calls: number, visit: Visit = {}): Promise<Record<string, number>> {
  for (let one = 0; one < calls; one += 1) await call(mesh, visit);
  const got = Map.groupBy(answered(mesh), (id) => id);
  return Object.fromEntries([...got].map(([id, all]) => [id, all.length]));
}

test("a canary gets a tenth", async () => {
  const { "reviews-v1": v1 = 0, "reviews-v2": v2 = 0 } = await shares(
    meshWith(recipe("Canary by weight")),
    1_000,
  );
  expect(v1 + v2).toBe(1_000);
  expect(Math.abs(v2 - 100)).toBeLessThan(30);
});

test("a sticky canary keeps users, and only ever wins some", async () => {
  const yaml = recipe("Sticky canary");
  const half = yaml.replace("weight: 90", "weight: 50").replace("weight: 10", "weight: 50");
  const [before, after] = [meshWith(yaml), meshWith(half)];
  for (const mesh of [before, before, after]) {
    for (let user = 0; user < 100; user += 1) await call(mesh, { headers: { cookie: `user=${user}` } });
  }
  const [first, second, third] = [
    answered(before).slice(0, 100),
    answered(before).slice(100),
    answered(after),
  ];
  expect(second).toEqual(first);
  expect(first.filter((id, user) => id === "reviews-v2" && third[user] !== id)).toEqual([]);
  expect(third.filter((id) => id === "reviews-v2").length).toBeGreaterThan(
    first.filter((id) => id === "reviews-v2").length,
  );
});

test("blue-green sends everything to one", async () => {
  expect(await shares(meshWith(recipe("Blue-green")), 20)).toEqual({ "reviews-v2": 20 });
});

test.each([
  [{}, "reviews-v1"],
  [{ "x-tester": "yes" }, "reviews-v2"],
  [{ "x-tester": "no" }, "reviews-v1"],
  [{ cookie: "tester=yes" }, "reviews-v2"],
  [{ cookie: "a=b; tester=yes; c=d" }, "reviews-v2"],
  [{ cookie: "a=b;tester=yes" }, "reviews-v2"],
  [{ cookie: "nontester=yes" }, "reviews-v1"],
  [{ cookie: "tester=yesterday" }, "reviews-v1"],
])("a tester is told by %j", async (headers, endpoint) => {
  expect(await shares(meshWith(recipe("Testers by header or cookie")), 1, { headers })).toEqual({
    [endpoint]: 1,
  });
});

test("a tester is told by who calls", async () => {
  const mesh = meshWith(recipe("Testers by header or cookie", 1));
  await call(mesh, { as: "web-next" });
  await call(mesh, { as: "web" });
  expect(answered(mesh)).toEqual(["reviews-v2", "reviews-v1"]);
});

test("a mirror gets a tenth in copy", async () => {
  const { "reviews-v1": v1, "reviews-v2": v2 = 0 } = await shares(meshWith(recipe("Mirroring")), 1_000);
  expect(v1).toBe(1_000);
  expect(Math.abs(v2 - 100)).toBeLessThan(30);
});

test("retries end after three, and with the budget", async () => {
  const mesh = meshWith(recipe("Retries with a budget"), [unavailable]);
  expect(await shares(mesh, 1)).toEqual({ "reviews-v1": 2, "reviews-v2": 2 });
  for (let one = 0; one < 999; one += 1) await call(mesh);
  expect(mesh.sent.length).toBeLessThanOrEqual(1_101);
});

test.each([
  ["/report", 30],
  ["/", 1],
])("%s times out after %d s", async (path, seconds) => {
  const mesh = meshWith(recipe("Time-outs"), [never]);
  const passed = stopwatch(mesh);
  expect([await call(mesh, { path }), passed()]).toEqual([504, seconds]);
});

test("hashing keeps users where they are", async () => {
  const mesh = meshWith(recipe("Consistent hashing"));
  for (let one = 0; one < 100; one += 1) await call(mesh, { headers: { "x-user": `u${one % 50}` } });
  expect(answered(mesh).slice(50)).toEqual(answered(mesh).slice(0, 50));
  expect(new Set(answered(mesh)).size).toBe(2);
});

/** Whole seconds from now on: timers of the host itself take milliseconds. */
function stopwatch({ kit }: Shop): () => number {
  const before = kit.now();
  return () => Math.round((kit.now() - before) / 1_000);
}

const TESTER = { headers: { "x-tester": "yes" } };
const FAULTS = recipe("Faults that end by themselves");

test("faults hit testers alone", async () => {
  // The mesh of these tests is younger than its policies by months.
  const mesh = meshWith(FAULTS.replace("30m", "10000h"));
  const passed = stopwatch(mesh);
  const statuses = [];
  for (let one = 0; one < 100; one += 1) statuses.push(await call(mesh, TESTER));
  const aborted = statuses.filter((status) => status === 503).length;
  expect(Math.abs(aborted - 10)).toBeLessThan(9);
  expect([passed(), await call(mesh), passed()]).toEqual([300, 200, 300]);
});

test("faults end by themselves", async () => {
  const mesh = meshWith(FAULTS);
  const passed = stopwatch(mesh);
  expect([await call(mesh, TESTER), passed()]).toEqual([200, 0]);
});

const TO_WEB: Goal = { kind: "service", service: "shop/web" };
const TO_PAGE: Goal = { kind: "gateway" };
const PAGE = "http://www.shop.example/";

test.each([
  ["web at reviews", {}, 200],
  ["reviews at reviews", { as: "reviews" }, 403],
  ["reviews at web", { as: "reviews", goal: TO_WEB }, 403],
  ["nobody at reviews", { as: null }, 401],
])("deny by default: %s", async (_who, visit, status) => {
  expect(await call(meshWith(recipe("Deny by default")), visit)).toBe(status);
});

const TO_PAYMENTS: Goal = { kind: "service", service: "shop/payments" };

test.each([
  ["web charges", { path: "/v1/charges", method: "POST" }, 200],
  ["web reads", { path: "/v1/charges", method: "GET" }, 403],
  ["web does something else", { path: "/v1/refunds", method: "POST" }, 403],
  ["reviews charges", { path: "/v1/charges", method: "POST", as: "reviews" }, 403],
  ["nobody charges", { path: "/v1/charges", method: "POST", as: null }, 401],
  ["web calls what is not allowed", { path: "/", goal: { kind: "unknown" } as const }, 421],
])("calls to the outside: %s", async (_who, visit, status) => {
  const mesh = meshWith(recipe("Calls to the outside"));
  expect(await call(mesh, { goal: TO_PAYMENTS, ...visit })).toBe(status);
  const told = mesh.sent.flatMap(({ headers }) => [...headers.keys()]);
  expect(told.filter((name) => /^(?:x-selvedge-peer|x-forwarded-client-cert)$/.test(name))).toEqual([]);
});

test.each([
  ["everybody at the page", { as: null, goal: TO_PAGE, url: PAGE }, 200],
  ["nobody at web", { as: null, goal: TO_WEB }, 401],
  ["reviews at web", { as: "reviews", goal: TO_WEB }, 403],
  ["web at reviews", {}, 200],
])("a public gateway: %s", async (_who, visit, status) => {
  expect(await call(meshWith(recipe("A public gateway with private services")), visit)).toBe(status);
});

test("the hundred-and-first call of a caller is one too many", async () => {
  const mesh = meshWith(recipe("Limits per caller"));
  const statuses = [];
  for (let one = 0; one < 101; one += 1) statuses.push(await call(mesh));
  expect([
    statuses.slice(0, 100).every((status) => status === 200),
    statuses[100],
    await call(mesh, { as: "cart" }),
  ]).toEqual([true, 429, 200]);
});

test("hedging sends a late read once more", async () => {
  const hundred = Array.from({ length: 100 }, () => ok);
  const mesh = meshWith(recipe("Hedging of reads"), [...hundred, never, ok]);
  expect(await shares(mesh, 101)).toEqual({
    "reviews-v1": expect.any(Number),
    "reviews-v2": expect.any(Number),
  });
  expect(mesh.sent.length).toBe(102);
});

test("a session is a cookie for an hour", async () => {
  const mesh = meshWith(recipe("Sessions"));
  const { kit } = mesh;
  const who = reception({ vouched: () => shop("web"), goalOf: () => TO_WEB });
  const { headers } = await kit.run(carry(kit.mesh, new Request("http://web/"), who));
  expect(headers.get("set-cookie")).toMatch(
    /^shop-session=[0-9a-f]{16}\.[0-9a-z]+; Path=\/; Max-Age=3600; HttpOnly$/,
  );
});

test.each([
  ["http://new.shop.example/a%2fb", 400],
  ["http://old.shop.example/a%2fb", 404],
  ["http://new.shop.example/a", 404],
])("path normalization: %s", async (url, status) => {
  const mesh = meshWith(recipe("Path normalization per listener"));
  expect(await call(mesh, { as: null, goal: TO_PAGE, url })).toBe(status);
});

const TO_SEARCH: Goal = { kind: "service", service: "shop/search" };

test.each([
  ["EU", "search-eu"],
  ["AF", "search-eu"],
  ["NA", "search-us"],
])("a host in %s searches at %s first, and at the other when that fails", async (region, first) => {
  const mesh = meshWith(recipe("Near endpoints first"), [ok, unreachable, ok], { region, zone: "XXX" });
  await call(mesh, { goal: TO_SEARCH });
  expect(await call(mesh, { goal: TO_SEARCH })).toBe(200);
  const other = first === "search-eu" ? "search-us" : "search-eu";
  expect(answered(mesh)).toEqual([first, first, other]);
});

test("a call that fails everywhere here goes on in another cluster", async () => {
  const mesh = meshWith(recipe("Failover to another cluster"), [unreachable, unreachable, ok]);
  expect(await call(mesh)).toBe(200);
  expect(answered(mesh).toSorted()).toEqual(["reviews-elsewhere", "reviews-v1", "reviews-v2"]);
  expect(mesh.sent.at(-1)?.line).toMatch(/^reviews-elsewhere /);
});

test("the other cluster lets calls of this one in by its Gateway", async () => {
  const mesh = meshWith(recipe("Failover to another cluster", 1));
  const status = await call(mesh, { as: null, goal: TO_PAGE, url: "http://reviews.other.example/" });
  expect([status, answered(mesh)]).toEqual([200, [expect.stringMatching(/^reviews-v/)]]);
});

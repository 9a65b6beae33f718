import { expect, test } from "vitest";
import type { Flip, Simulation } from "../../shared/wire/simulation.ts";
import { against } from "./commands-kit.ts";

const FLIP: Flip = {
  caller: "spiffe://mesh.test/ns/shop/sa/web",
  kind: "Service",
  callee: "shop/reviews",
  method: "GET",
  path: "/reviews/1",
  before: { kind: "allowed", by: null, code: null },
  after: { kind: "denied", by: "shop/deny[0]", code: "authz.rule" },
  calls: 14,
  lastSeenAt: Date.now() + 60_000,
};

const NOTHING: Simulation = {
  revision: 7,
  recorded: 212,
  replayed: 41,
  unchanged: 41,
  flips: 0,
  unknown: 0,
  unrecorded: [],
  gone: 0,
  omitted: 0,
  items: [],
};

const FOUND: Simulation = {
  ...NOTHING,
  unchanged: 30,
  flips: 3,
  unknown: 4,
  unrecorded: ["request.headers[x-team]", "request.auth"],
  gone: 2,
  omitted: 1,
  items: [
    FLIP,
    {
      ...FLIP,
      caller: null,
      kind: "Endpoint",
      callee: "shop/reviews-v1",
      before: { kind: "denied", by: null, code: "authn.missing" },
      after: { kind: "asked", by: "opa", code: null },
    },
  ],
};

const DOCUMENT = "apiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n";

const answering = (answer: Simulation) => ({ "POST /api/v1/simulate": answer });

test("lists flips, and what could not be tried", async () => {
  const { code, out, err } = await against(answering(FOUND), ["authz", "simulate", "-f", "-"], DOCUMENT);
  expect([code, err]).toEqual([0, ""]);
  expect(out.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
    ["CALLER", "CALLEE", "METHOD", "PATH", "BEFORE", "AFTER", "CALLS", "LAST SEEN"],
    [FLIP.caller, "shop/reviews", "GET", "/reviews/1", "allowed", "denied: shop/deny[0]", "14", "0s ago"],
    [
      "nobody",
      "shop/reviews-v1 (Endpoint)",
      "GET",
      "/reviews/1",
      "denied: authn.missing",
      "asks opa",
      "14",
      "0s ago",
    ],
    [""],
    ["Recorded:", "212 distinct calls, 41 of them to workloads whose policies would change"],
    ["Unchanged: 30"],
    ["Flips:", "3, of which 2 are shown"],
    ["Unknown:", "4, of which was not recorded: request.headers[x-team], request.auth"],
    ["Gone:", "2, to what is not there any more"],
    ["Left out:", "1, since there is too much to compare"],
    [""],
  ]);
});

test("says that nothing flips", async () => {
  const { out } = await against(answering(NOTHING), ["authz", "simulate", "-f", "-"], DOCUMENT);
  expect(out).toMatch(/^Recorded:.*\nUnchanged: 41\nFlips: {5}0\n$/);
});

test("asks for documents and deletions of a namespace", async () => {
  const args = ["-n", "shop", "authz", "simulate", "-f", "-", "--delete", "authorizationpolicy/a", "--prune"];
  const { heard, out } = await against(answering(FOUND), [...args, "-o", "json"], DOCUMENT);
  expect(JSON.parse(out)).toEqual(FOUND);
  expect(heard).toEqual([
    [
      "POST /api/v1/simulate",
      {
        documents: [{ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } }],
        defaultNamespace: "shop",
        refs: [
          { apiVersion: "security.istio.io/v1", kind: "AuthorizationPolicy", namespace: "shop", name: "a" },
        ],
        prune: true,
      },
    ],
  ]);
});

test.each([
  ["more flips than may be", ["-f", "-", "--max-flips", "2"], 1],
  ["as many as may be", ["-f", "-", "--max-flips", "3"], 0],
  ["nothing to try", [], 2],
  ["a deletion of nothing", ["--delete", "authorizationpolicy"], 2],
])("%s", async (_name, args, code) => {
  expect((await against(answering(FOUND), ["authz", "simulate", ...args], DOCUMENT)).code).toBe(code);
});

test("apply passes its limit on, and wants no force without one", async () => {
  const applied = { revision: 8, changes: [], warnings: [] };
  const args = ["apply", "-f", "-", "--max-flips", "2", "--force"];
  const { heard } = await against({ "POST /api/v1/apply": applied }, args, DOCUMENT);
  expect(heard).toMatchObject([["POST /api/v1/apply", { maxFlips: 2, force: true }]]);
  expect((await against({}, ["apply", "-f", "-", "--force"], DOCUMENT)).code).toBe(2);
});

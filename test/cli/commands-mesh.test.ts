import { describe, expect, test } from "vitest";
import type { StoreStatus } from "../../shared/wire/registry-rpc.ts";
import type { IsolatesStatus } from "../../shared/wire/telemetry-rpc.ts";
import { against, ref, REVIEWS, SHOP } from "./commands-kit.ts";

describe("diff", () => {
  const MINE =
    "apiVersion: v1\nkind: Service\nmetadata: {name: reviews, namespace: shop}\nspec:\n  ports: [{name: http, port: 81}]\n  selector: {app: reviews}\n";
  const listed = { "GET /api/v1/resources?kind=Service&namespace=shop": { items: [REVIEWS] } };

  test("of a file that changes a port ends with 1", async () => {
    const ran = await against(listed, ["diff", "-f", "-"], MINE);
    expect(ran).toMatchObject({ code: 1, err: "" });
    expect(ran.out).toMatch(
      /^--- service\/reviews in shop \(mesh\)\n\+\+\+ service\/reviews in shop \(files\)\n@@ /,
    );
    expect(ran.out).toMatch(/^-.*port: 80$/m);
    expect(ran.out).toMatch(/^\+.*port: 81$/m);
  });

  test("of a file that cannot be compared ends with 2", async () => {
    const ran = await against(listed, ["diff", "-f", "-"], MINE.replace("port: 81", "port: x"));
    expect(ran).toMatchObject({ code: 2, out: "", err: expect.stringContaining("spec.ports[0].port") });
  });

  test.each([
    ["equal", [], 0, ""],
    [
      "different",
      [{ ref: ref("Namespace", "shop", ""), before: null, after: SHOP }],
      1,
      "--- namespace/shop (revision 1)\n+++ namespace/shop (revision 2)\n@@ -0,0 +1,8 @@\n+apiVersion: v1\n+kind: Namespace\n" +
        '+metadata:\n+  annotations: {}\n+  labels: {}\n+  name: shop\n+  namespace: ""\n+spec: {}\n',
    ],
  ])("of revisions that are %s", async (_, differences, code, out) => {
    const answers = { "GET /api/v1/diff?from=1&to=2": { from: 1, to: 2, differences } };
    expect(await against(answers, ["diff", "1", "2"])).toMatchObject({ code, out, err: "" });
  });

  test("of a revision with the current one", async () => {
    const ran = await against({ "GET /api/v1/diff?from=1": { from: 1, to: 4, differences: [] } }, [
      "diff",
      "1",
    ]);
    expect(ran).toMatchObject({ code: 0, heard: ["GET /api/v1/diff?from=1"] });
  });
});

describe("rollback", () => {
  const answer = {
    revision: 9,
    changes: [{ ref: ref("Service", "reviews"), change: "deleted" }],
    warnings: [],
  };
  const revision = { at: 0, author: "admin", reason: "apply", changes: [] };

  test.each([
    ["to a revision", ["rollback", "3"], 3],
    ["to the previous one", ["rollback"], 7],
  ])("%s", async (_, args, to) => {
    const answers = {
      "POST /api/v1/rollback": answer,
      "GET /api/v1/revisions?limit=2": {
        items: [
          { ...revision, revision: 8 },
          { ...revision, revision: 7 },
        ],
      },
    };
    const ran = await against(answers, args);
    expect(ran).toMatchObject({
      code: 0,
      out: "service/reviews deleted\n",
      err: `Revision 9 has the content of revision ${to}.\n`,
    });
    expect(ran.heard.at(-1)).toEqual(["POST /api/v1/rollback", { revision: to }]);
  });

  test("without an earlier revision ends with 3", async () => {
    const answers = { "GET /api/v1/revisions?limit=2": { items: [{ ...revision, revision: 1 }] } };
    expect(await against(answers, ["rollback"])).toMatchObject({ code: 3, out: "" });
  });
});

describe("what only looks", () => {
  const endpoint = {
    id: "a",
    address: "binding:A",
    version: "v2",
    weight: 1,
    health: "healthy",
    isEjected: false,
    source: "declared",
  };
  const service = {
    namespace: "shop",
    name: "reviews",
    ports: [{ name: "http", port: 80 }],
    endpoints: [
      endpoint,
      { ...endpoint, id: "b", version: "v1", isEjected: true },
      { ...endpoint, version: "" },
    ],
  };
  const edge = {
    source: "shop/web",
    destination: "shop/reviews",
    version: "v1",
    requestsPerSecond: 1.5,
    successRatio: 0.995,
    p50Ms: 3.21,
    p99Ms: 40,
  };
  const status = {
    trustDomain: "selvedge.example",
    revision: 3,
    version: 9,
    resources: 12,
    services: 4,
    endpoints: 7,
    healthyEndpoints: 5,
  };
  const revision = {
    revision: 3,
    at: Date.now() - 600_000,
    author: "admin",
    reason: "rollback to 1",
    changes: [1, 2].map((n) => ({ ref: ref("Service", `s${n}`), change: "created" })),
  };

  test.each([
    [
      "services",
      "/services",
      { items: [service] },
      "NAMESPACE   NAME      PORTS   HEALTHY   VERSIONS\nshop        reviews   80      2/3       v1,v2\n",
    ],
    [
      "topology",
      "/topology",
      { windowMs: 60_000, nodes: [], edges: [edge] },
      "SOURCE     DESTINATION    VERSION   CALLS/S   SUCCESS   P50     P99\nshop/web   shop/reviews   v1        1.50      99.5%     3.2ms   40.0ms\n",
    ],
    ["topology", "/topology", { windowMs: 60_000, nodes: [], edges: [] }, ""],
    [
      "revisions",
      "/revisions?limit=20",
      { items: [revision] },
      "REVISION   AGE   AUTHOR   REASON          CHANGES\n3          10m   admin    rollback to 1   2 created\n",
    ],
    [
      "revisions --before 9",
      "/revisions?limit=20&before=9",
      { items: [revision] },
      "REVISION   AGE   AUTHOR   REASON          CHANGES\n3          10m   admin    rollback to 1   2 created\n",
    ],
    [
      "status",
      "/status",
      status,
      "Mesh:          MESH\nTrust domain:  selvedge.example\nRevision:      3\nSnapshot:      version 9\nResources:     12\nServices:      4\nEndpoints:     5 of 7 healthy\n",
    ],
  ])("%s of %s", async (command, path, answer, out) => {
    expect(await against({ [`GET /api/v1${path}`]: answer }, command.split(" "))).toMatchObject({
      code: 0,
      out,
    });
  });

  test.each<[StoreStatus, string]>([
    [{ kind: "on", version: 9, checkedAt: 1, failures: 0 }, "version 9"],
    [{ kind: "on", version: 7, checkedAt: 1, failures: 0 }, "version 7, 2 behind"],
    [
      { kind: "on", version: 7, checkedAt: 1, failures: 3 },
      "version 7, 2 behind; storing fails, 3 times in a row",
    ],
    [{ kind: "off", why: "no-secret" }, "none: no secret to sign them"],
    [{ kind: "off", why: "no-namespace" }, "none: no KV namespace SNAPSHOTS"],
  ])("status of a mesh whose copies are %o", async (store, copies) => {
    const ran = await against({ "GET /api/v1/status": { ...status, store } }, ["status"]);

    expect(ran).toMatchObject({ code: 0, out: expect.stringContaining(`\nCopies:        ${copies}\n`) });
  });

  test.each<[IsolatesStatus, string]>([
    [{ current: 11, stale: 1, oldestVersion: 4 }, "11 current, 1 stale; oldest version 4"],
    [{ current: 0, stale: 0, oldestVersion: null }, "none has reported within a minute"],
  ])("status of a mesh with isolates %o", async (isolates, text) => {
    const ran = await against({ "GET /api/v1/status": { ...status, isolates } }, ["status"]);

    expect(ran).toMatchObject({ code: 0, out: expect.stringContaining(`\nIsolates:      ${text}\n`) });
  });

  test("version", async () => {
    const ran = await against({ "GET /healthz": { status: "ok", version: "9.9.9" } }, ["version"]);
    expect(ran).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Client: \d.*\nMesh: {3}9\.9\.9 at MESH\n$/),
    });
  });

  test("the services of a namespace", async () => {
    const ran = await against({ "GET /api/v1/services?namespace=shop": { items: [] } }, [
      "services",
      "-n",
      "shop",
      "-o",
      "yaml",
    ]);
    expect(ran).toMatchObject({ code: 0, out: "[]\n" });
  });
});

test.each([
  ["a token for the mesh", ["--as", "shop/web"], { workload: "shop/web" }],
  [
    "a token for a workload",
    ["--as", "shop/web", "--audience", "spiffe://x/ns/a/sa/b", "--ttl", "2m"],
    { workload: "shop/web", audience: "spiffe://x/ns/a/sa/b", ttlSeconds: 120 },
  ],
])("%s is printed and nothing else", async (_, args, body) => {
  const answers = { "POST /api/v1/tokens": { token: "a.b.c", id: "1", subject: "s", expiresAt: 1 } };
  expect(await against(answers, ["token", ...args])).toEqual({
    code: 0,
    out: "a.b.c\n",
    err: "",
    heard: [["POST /api/v1/tokens", body]],
  });
});

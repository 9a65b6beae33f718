import { describe, expect, test } from "vitest";
import type { Explanation } from "../../shared/wire/explain.ts";
import { problem } from "./cli-kit.ts";
import { against, stored } from "./commands-kit.ts";

const RULE = { route: "shop/web", method: null, headers: [], query: [], isForSomeCallers: false };

const TOLD: Explanation = {
  version: 7,
  caller: "spiffe://mesh.test/ns/shop/sa/web",
  request: { method: "GET", host: "www.test", port: 80, path: "/a" },
  entrance: { kind: "listener", listener: "shop/public/http", domain: "www.test" },
  listeners: [
    { listener: "shop/public/http", port: 80, scheme: "http", hostname: "*.test", verdict: "decides" },
    { listener: "shop/spare/http", port: 80, scheme: "http", hostname: "*", verdict: "other" },
  ],
  gatewayAuthorization: { isAllowed: true, by: null },
  rules: [
    {
      ...RULE,
      rule: "testers",
      path: { kind: "exact", value: "/a" },
      method: "GET",
      headers: [
        { name: "end-user", kind: "exact", value: "jason" },
        { name: "x-old", kind: "present", value: "", isInverted: true },
      ],
      query: [{ name: "debug", kind: "regex", value: "1+" }],
      verdict: "headers",
    },
    { ...RULE, rule: "1", path: { kind: "prefix", value: "/a" }, verdict: "decides" },
    {
      ...RULE,
      rule: "2",
      path: { kind: "prefix", value: "/" },
      isForSomeCallers: true,
      verdict: "callers",
    },
    { ...RULE, rule: "3", path: { kind: "regex", value: "/b.*" }, verdict: "path" },
  ],
  omittedRules: 4,
  outcome: { kind: "forward", host: "www.test", path: "/a" },
  sticky: { by: "cookie session", backend: "shop/v1" },
  priority: "high",
  backends: [
    {
      service: "shop/v1",
      port: 80,
      subset: null,
      weight: 3,
      share: 0.75,
      invalid: null,
      redirect: null,
      endpoints: 3,
      usable: 2,
      loadBalancing: "round-robin",
      timeoutMs: 1000,
      retries: 2,
      failover: [
        { service: "shop/v2", subset: null, endpoints: 2, usable: 1, isMissing: false },
        { service: "shop/gone", subset: "blue", endpoints: 0, usable: 0, isMissing: true },
      ],
      policies: [
        {
          endpoints: 3,
          peer: "strict",
          authorization: { isAllowed: false, by: "shop/deny[0]" },
          limits: ["shop/limit[0]"],
          faults: ["shop/chaos"],
        },
      ],
    },
    {
      service: "shop/gone",
      port: null,
      subset: null,
      weight: 1,
      share: 0.25,
      invalid: "backend.missing",
      redirect: null,
      endpoints: 0,
      usable: 0,
      loadBalancing: "",
      timeoutMs: null,
      retries: 0,
      policies: [],
    },
  ],
  faults: [],
  mirrors: [{ service: "shop/v2", share: 0.1 }],
};

const TABLE = `Request:  GET www.test:80/a
Caller:   spiffe://mesh.test/ns/shop/sa/web
Goes to:  listener shop/public/http, host www.test
Outcome:  forwarded, as www.test/a
Sticky:   by cookie session: shop/v1
Priority: high
Mirrors:  shop/v2 10%
Version:  7

    LISTENER           PORT      HOSTNAME   VERDICT
*   shop/public/http   http:80   *.test     decides
    shop/spare/http    http:80   *          another listener fits better

    ROUTE      RULE      MATCH                                         VERDICT
    shop/web   testers   GET /a end-user=jason !x-old ?debug~=1+       a header does not match
*   shop/web   1         /a/*                                          decides
    shop/web   2         /* some callers                               is for other callers
    shop/web   3         ~/b.*                                         the path does not match
and 4 more rules, for other paths

BACKEND      SUBSET   WEIGHT   SHARE   USABLE            BALANCING     TIMEOUT   RETRIES
shop/v1:80            3        75%     2/3               round-robin   1000ms    2
shop/gone             1        25%     backend.missing

FAILS OVER   TO          SUBSET   USABLE
shop/v1      shop/v2              1/2
shop/v1      shop/gone   blue     does not exist

PROTECTED               MTLS     CALL                                   LIMITS          FAULTS
the gateway                      allowed: no policy speaks against it
shop/v1 (3 endpoints)   strict   denied by shop/deny[0]                 shop/limit[0]   shop/chaos
`;

describe("routes explain", () => {
  const answers = { "POST /api/v1/explain": TOLD };

  test("asks as it was told to and shows who decides, and why others do not", async () => {
    const args = ["routes", "explain", "GET", "http://www.test/a", "-H", "End-User:  jason", "-H", "X:"];
    const ran = await against(answers, [...args, "--from", "shop/web", "--gateway", "shop/public"]);

    expect({ ...ran, out: ran.out.replace(/ +/g, " ") }).toEqual({
      code: 0,
      out: TABLE.replace(/ +/g, " "),
      err: "",
      heard: [
        [
          "POST /api/v1/explain",
          {
            method: "GET",
            url: "http://www.test/a",
            headers: [
              { name: "End-User", value: "jason" },
              { name: "X", value: "" },
            ],
            from: "shop/web",
            gateway: { namespace: "shop", name: "public" },
          },
        ],
      ],
    });
  });

  test("prints what programs read", async () => {
    const ran = await against(answers, ["routes", "explain", "GET", "http://www.test/a", "-o", "json"]);

    expect(JSON.parse(ran.out)).toEqual(TOLD);
  });

  test.each([
    ["a header without colon", ["-H", "end-user"]],
    ["a gateway without namespace", ["--gateway", "public"]],
  ])("refuses %s", async (_what, args) => {
    const ran = await against(answers, ["routes", "explain", "GET", "http://www.test/a", ...args]);

    expect(ran).toMatchObject({ code: 2, out: "", heard: [] });
  });
});

describe("canary", () => {
  const route = stored("HTTPRoute", "web", {
    rules: [
      {
        backendRefs: [
          { name: "v1", port: 80, weight: 1 },
          { name: "v2", port: 80, weight: 0 },
        ],
      },
    ],
  });
  const status = {
    trustDomain: "mesh.test",
    revision: 7,
    version: 7,
    resources: 1,
    services: 0,
    endpoints: 0,
    healthyEndpoints: 0,
  };
  const read = {
    "GET /api/v1/status": status,
    "GET /api/v1/resources/HTTPRoute/shop/web": route,
  };
  const args = ["canary", "set", "web", "-n", "shop", "--to", "v2", "--weight", "20"];

  test("applies the new weights on the revision that it has read", async () => {
    const answer = { revision: 8, changes: [], warnings: [] };
    const ran = await against({ ...read, "POST /api/v1/apply": answer }, args);

    const { apiVersion, kind } = route;
    const metadata = { name: "web", namespace: "shop", labels: {}, annotations: {} };
    const backendRefs = [
      { name: "v1", port: 80, weight: 80 },
      { name: "v2", port: 80, weight: 20 },
    ];
    expect(ran).toMatchObject({ code: 0, err: "Revision 8 is in force.\n" });
    expect(ran.heard.at(-1)).toEqual([
      "POST /api/v1/apply",
      {
        documents: [{ apiVersion, kind, metadata, spec: { rules: [{ backendRefs }] } }],
        ifRevision: 7,
        dryRun: false,
      },
    ]);
  });

  test("gives up when the mesh keeps changing", async () => {
    const conflict = problem("config.revision", "The mesh is at revision 9, not 7.");
    const ran = await against({ ...read, "POST /api/v1/apply": conflict }, args);

    expect(ran).toMatchObject({ code: 1, out: "", err: expect.stringContaining("at revision 9, not 7") });
    expect(ran.heard.filter((line) => Array.isArray(line)).length).toBe(5);
  });

  test("shows observed shares where there were calls", async () => {
    const edge = { source: "shop/web", version: "", successRatio: 1, p50Ms: 1, p99Ms: 1 };
    const edges = [
      { ...edge, destination: "shop/v1", requestsPerSecond: 3 },
      { ...edge, destination: "shop/v2", requestsPerSecond: 1 },
    ];
    const topology = { windowMs: 60_000, nodes: [], edges };
    const ran = await against({ ...read, "GET /api/v1/topology": topology }, [
      "canary",
      "status",
      "web",
      "-n",
      "shop",
    ]);

    expect(ran).toMatchObject({
      code: 0,
      out:
        "RULE   BACKEND   WEIGHT   SHARE   OBSERVED\n" +
        "0      v1:80     1        100%    75%\n" +
        "0      v2:80     0        0%      25%\n",
      err: "Observed: all calls to these backends in the last 60 s.\n",
    });
  });
});

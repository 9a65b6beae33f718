import { describe, expect, test } from "vitest";
import type { Explanation } from "../../shared/wire/explain.ts";
import { against } from "./commands-kit.ts";

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
  backends: [
    {
      service: "shop/v1",
      port: 80,
      subset: null,
      weight: 3,
      share: 0.75,
      invalid: null,
      endpoints: 3,
      usable: 2,
      loadBalancing: "round-robin",
      timeoutMs: 1000,
      retries: 2,
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

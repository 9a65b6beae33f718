import { describe, expect, test } from "vitest";
import type { CheckAnswer } from "../../shared/wire/authz-check.ts";
import { against } from "./commands-kit.ts";

const DENIED: CheckAnswer = {
  version: 7,
  caller: "spiffe://mesh.test/ns/shop/sa/web",
  request: { method: "GET", host: "reviews.shop.mesh", port: 80, path: "/admin" },
  decisions: [
    {
      endpoints: ["a", "b"],
      peer: "strict",
      user: "issuer/jane",
      isAllowed: false,
      by: "shop/deny[0]",
      code: "authz.rule",
      reason: "a rule denies it",
      asks: ["opa"],
      steps: [
        { stage: "deny", policy: "shop/deny", rule: 0, verdict: "matches" },
        { stage: "allow", policy: "shop/allow", rule: 1, verdict: "from" },
      ],
      omittedSteps: 2,
    },
  ],
};

const [decision] = DENIED.decisions;
const ALLOWED: CheckAnswer = {
  ...DENIED,
  caller: null,
  decisions:
    decision === undefined
      ? []
      : [
          {
            ...decision,
            endpoints: [],
            isAllowed: true,
            by: null,
            code: null,
            reason: "no policy speaks against it",
            user: null,
            takesTokenOnce: true,
            tokenBinding: "Certificate",
            asks: [],
            steps: [],
            omittedSteps: 0,
          },
        ],
};

const answers = { "POST /api/v1/authz/check": DENIED };
const asking = ["--from", "shop/web", "--to", "shop/reviews", "GET", "/admin"];

describe("authz check", () => {
  test("tells the decision, by its exit code, too", async () => {
    const args = ["-H", "End-User:  jason", "--user-token", "a.b.c", "--port", "80", "--address", "10.0.0.1"];
    const ran = await against(answers, ["authz", "check", ...asking, ...args]);

    expect(ran).toEqual({
      code: 1,
      out:
        "Request:  GET reviews.shop.mesh:80/admin\n" +
        "Caller:   spiffe://mesh.test/ns/shop/sa/web\n" +
        "Version:  7\n" +
        "At a, b: denied, authz.rule: a rule denies it (shop/deny[0]); mTLS strict; for the user issuer/jane; besides, it asks opa\n",
      err: "Error: The call is denied.\n",
      heard: [
        [
          "POST /api/v1/authz/check",
          {
            from: "shop/web",
            to: "shop/reviews",
            method: "GET",
            path: "/admin",
            port: 80,
            address: "10.0.0.1",
            headers: [
              { name: "End-User", value: "jason" },
              { name: "authorization", value: "Bearer a.b.c" },
            ],
          },
        ],
      ],
    });
  });

  test("of a call that is allowed ends well", async () => {
    const ran = await against({ "POST /api/v1/authz/check": ALLOWED }, ["authz", "check", ...asking]);

    expect(ran).toMatchObject({
      code: 0,
      err: "",
      out: expect.stringContaining(
        "No endpoint yet: allowed: no policy speaks against it; mTLS strict; a token counts only with the client's certificate; a token counts once\n",
      ),
    });
  });
});

describe("authz explain", () => {
  test("tells every rule, and marks the one that decided", async () => {
    const ran = await against(answers, ["authz", "explain", ...asking]);

    expect(ran.code).toBe(0);
    expect(ran.out.split("\n\n")[1]).toBe(
      "    ENDPOINTS   STAGE   POLICY       RULE   VERDICT\n" +
        "*   a,b         deny    shop/deny    0      matches\n" +
        "    a,b         allow   shop/allow   1      from does not match\n" +
        "and 2 more rules, none of which matches\n",
    );
  });

  test("of a service without policies says so", async () => {
    const ran = await against({ "POST /api/v1/authz/check": ALLOWED }, ["authz", "explain", ...asking]);
    expect(ran.out).toContain("No policy is about the service.\n");
  });

  test("prints what programs read", async () => {
    const ran = await against(answers, ["authz", "explain", ...asking, "-o", "json"]);
    expect(JSON.parse(ran.out)).toEqual(DENIED);
  });
});

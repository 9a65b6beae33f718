import { expect, test } from "vitest";
import { reasonOf, respond } from "../../shared/forward/answers.ts";
import { refuse } from "../../shared/forward/refusal.ts";
import { PROBLEMS } from "../../shared/wire/problem.ts";
import type { ProblemCode } from "../../shared/wire/problem.ts";

const CODES = Object.keys(PROBLEMS).filter((code): code is ProblemCode => code in PROBLEMS);

test("answers with a problem document that names its code and the request", async () => {
  const response = respond(
    refuse("circuit.open", "The endpoints failed too often.", 1_200),
    "request-1",
    "GET",
  );

  expect(response.status).toBe(503);
  expect(Object.fromEntries(response.headers)).toEqual({
    "cache-control": "no-store",
    "content-type": "application/problem+json",
    "proxy-status": 'selvedge; error=connection_limit_reached; details="circuit.open"',
    "retry-after": "2",
    "x-request-id": "request-1",
  });
  expect(await response.json()).toEqual({
    type: "about:blank",
    title: "The circuit to the service is open",
    status: 503,
    detail: "The endpoints failed too often.",
    instance: "request-1",
    code: "circuit.open",
  });
});

test.each(CODES)("the answer for %s is no amplifier", async (code) => {
  const response = respond(refuse(code, "x".repeat(10_000)), "x".repeat(64), "GET");

  expect((await response.text()).length).toBeLessThanOrEqual(512);
});

test("an answer to HEAD has no body", async () => {
  expect(await respond(refuse("route.none", "None."), "r", "HEAD").text()).toBe("");
});

test("an answer 401 says how to authenticate", () => {
  expect(respond(refuse("authn.missing", "Who?"), "r", "GET").headers.get("www-authenticate")).toBe(
    'Bearer realm="selvedge"',
  );
});

test.each(CODES.filter((code) => "proxyStatus" in PROBLEMS[code]))(
  "the reason %s is read back from an answer",
  (code) => {
    expect(reasonOf(respond(refuse(code, "Why."), "r", "GET"))).toBe(code);
  },
);

test.each([
  "",
  "cloudflare; error=x",
  'selvedge; error=x; details="made.up"',
  'selvedge; error=x; details="constructor"',
])("a service that answers %s gives no reason of the mesh", (status) => {
  expect(reasonOf(new Response(null, { status: 500, headers: { "proxy-status": status } }))).toBe("");
});

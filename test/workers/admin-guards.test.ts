import { afterEach, describe, expect, test, vi } from "vitest";
import type { Env } from "../../durable-objects/env.ts";
import { ask, env, TOKEN, TOKEN_SHA256 } from "./admin-kit.ts";

describe("the admin token", () => {
  test.each([
    ["right", `Bearer ${TOKEN}`, 404],
    ["missing", "", 401],
    ["wrong", "Bearer wrong", 401],
    ["a prefix of the right one", `Bearer ${TOKEN.slice(0, -1)}`, 401],
    ["longer than the right one", `Bearer ${TOKEN}x`, 401],
    ["its hash", `Bearer ${TOKEN_SHA256}`, 401],
    ["with another spelling of the scheme", `bearer ${TOKEN}`, 401],
    ["with another scheme", `Basic ${btoa(`admin:${TOKEN}`)}`, 401],
    ["without a scheme", TOKEN, 401],
    ["twice", `Bearer ${TOKEN}, Bearer ${TOKEN}`, 401],
    ["after two blanks", `Bearer  ${TOKEN}`, 401],
    ["too long to be read", `Bearer ${"x".repeat(2000)}`, 401],
  ])("%s", async (_, authorization, status) => {
    const answer = await ask("/nowhere", { headers: { authorization } });
    expect(answer.status).toBe(status);
    expect(answer.headers.get("www-authenticate")).toBe(
      status === 401 ? 'Bearer realm="selvedge admin"' : null,
    );
  });

  test("in the query is none", async () => {
    const answer = await ask(`/api/v1/status?token=${TOKEN}&access_token=${TOKEN}`, {
      headers: { authorization: "" },
    });
    expect(answer.status).toBe(401);
  });

  test.each([
    ["no hash", undefined],
    ["an empty hash", ""],
    ["the token in place of its hash", TOKEN],
  ])("is refused when the Worker has %s, and the answer says how to set it", async (_, hash) => {
    const { SELVEDGE_ADMIN_TOKEN_SHA256: _hash, ...rest } = env;
    const unset: Env = hash === undefined ? rest : { ...rest, SELVEDGE_ADMIN_TOKEN_SHA256: hash };
    const answer = await ask("/api/v1/status", { env: unset });
    expect(answer.status).toBe(401);
    expect(answer.body).toMatchObject({
      code: "admin.unauthorized",
      detail: expect.stringContaining("wrangler secret put SELVEDGE_ADMIN_TOKEN_SHA256"),
    });
  });

  test("may be configured in upper-case hex", async () => {
    const upper = { ...env, SELVEDGE_ADMIN_TOKEN_SHA256: TOKEN_SHA256.toUpperCase() };
    expect((await ask("/nowhere", { env: upper })).status).toBe(404);
  });

  test("is needed to write to a public path", async () => {
    const answer = await ask("/healthz", { method: "POST", headers: { authorization: "" } });
    expect(answer.status).toBe(401);
  });
});

describe("browsers of other sites", () => {
  test.each([
    ["another site", "https://evil.example", 403],
    ["a sandboxed frame", "null", 403],
    ["the same host on another port", "http://127.0.0.1:9999", 403],
    ["the same host by another scheme", "https://127.0.0.1:8787", 403],
    ["the admin API's own pages", "http://127.0.0.1:8787", 404],
  ])("%s", async (_, origin, status) => {
    expect((await ask("/nowhere", { headers: { origin } })).status).toBe(status);
  });

  test("are told apart from a bad token", async () => {
    const answer = await ask("/healthz", { headers: { origin: "https://evil.example", authorization: "" } });
    expect(answer.body).toMatchObject({ status: 403, code: "csrf.origin" });
  });
});

test("a call that the mesh carries is refused, whatever it brings", async () => {
  const answer = await ask("/api/v1/status", { headers: { "x-selvedge-hops": "1" } });
  expect(answer.body).toMatchObject({ status: 403, code: "admin.forbidden" });
});

describe("what is not there", () => {
  test("an unknown path", async () => {
    const answer = await ask("/api/v2/status");
    expect(answer.body).toMatchObject({ status: 404, code: "route.none" });
  });

  test.each([
    ["DELETE", "/api/v1/apply", "POST"],
    ["POST", "/api/v1/status", "GET, HEAD"],
    ["PATCH", "/api/v1/resources/svc/shop/reviews", "DELETE, GET, HEAD"],
    ["POST", "/api/v1/services/shop/reviews/endpoints/a", "DELETE, PUT"],
    ["OPTIONS", "/metrics", "GET, HEAD"],
  ])("%s %s", async (method, path, allow) => {
    const answer = await ask(path, { method });
    expect(answer.body).toMatchObject({ status: 405, code: "method.not_allowed" });
    expect(answer.headers.get("allow")).toBe(allow);
  });

  test.each(["//api/v1/status", "/api/v1//status", "/api/v1/status/", "/api/v1/%73tatus/", "/API/v1/status"])(
    "%s is no other spelling of a path",
    async (path) => {
      expect((await ask(path)).status).toBe(404);
    },
  );
});

describe("every answer", () => {
  test.each([
    ["/healthz", 200],
    ["/nowhere", 404],
  ])("%s is out of reach of caches, frames and sniffing", async (path, status) => {
    const answer = await ask(path, { headers: { "x-request-id": "abc-1" } });
    expect(answer.status).toBe(status);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "x-request-id": "abc-1",
    });
  });

  test.each(["a b", "x".repeat(65), 'x","y":"'])("names the request anew for the id %j", async (id) => {
    const answer = await ask("/healthz", { headers: { "x-request-id": id } });
    expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("to HEAD has no body", async () => {
    const answer = await ask("/healthz", { method: "HEAD", headers: { authorization: "" } });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json"]);
  });
});

/** The environment with a registry that cannot be reached, for the given reason. */
function broken(error: Error): Env {
  const registry = Object.create(env.REGISTRY, {
    getByName: {
      value() {
        throw error;
      },
    },
  });
  return { ...env, REGISTRY: registry };
}

describe("an object that fails", () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => {});
  afterEach(() => logged.mockClear());

  test("is told by request id only; the cause is logged, once and on one line", async () => {
    const answer = await ask("/api/v1/status", {
      env: broken(new Error("the secret is 42")),
      headers: { "x-request-id": "r1" },
    });
    expect(answer.body).toEqual({
      type: "about:blank",
      title: "The mesh failed",
      status: 500,
      code: "internal",
      detail: "The mesh failed to answer. Its logs have the cause under this request id.",
      instance: "r1",
    });
    expect(logged.mock.calls).toEqual([
      [expect.stringMatching(/^\{.*"requestId":"r1".*the secret is 42.*\}$/)],
    ]);
  });

  test.each([{ retryable: true }, { overloaded: true }])(
    "but not for long (%j) asks to try again",
    async (marks) => {
      const answer = await ask("/api/v1/status", { env: broken(Object.assign(new Error("moved"), marks)) });
      expect(answer.body).toMatchObject({ status: 503, code: "control.unavailable" });
      expect(answer.headers.get("retry-after")).toBe("1");
    },
  );
});

import { describe, expect, test } from "vitest";
import { ask } from "./admin-kit.ts";

const JSON_TYPE = { "content-type": "application/json" };

function post(path: string, body: BodyInit, headers: Readonly<Record<string, string>> = JSON_TYPE) {
  return ask(path, { method: "POST", body, headers });
}

/** A body of unknown length. */
function stream(bytes: number): ReadableStream {
  const chunk = new TextEncoder().encode("x".repeat(64 * 1024));
  let left = bytes;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(chunk.slice(0, left));
      left -= Math.min(left, chunk.length);
      if (left === 0) controller.close();
    },
  });
}

describe("the media type", () => {
  test.each([
    ["application/json", 422],
    ["application/json; charset=utf-8", 422],
    ['Application/JSON;charset="UTF-8"', 422],
    ["text/plain", 415],
    ["text/plain; x=application/json", 415],
    ["application/x-www-form-urlencoded", 415],
    ["application/yaml", 415],
    ["application/json; charset=utf-16", 415],
    ["application/json, text/plain", 415],
    ["application/ld+json", 415],
    ["", 415],
  ])("%s", async (type, status) => {
    const answer = await post("/api/v1/apply", "{}", { "content-type": type });
    expect(answer.status).toBe(status);
  });

  test("must not be compressed", async () => {
    const answer = await post("/api/v1/apply", "{}", { ...JSON_TYPE, "content-encoding": "gzip" });
    expect(answer.body).toMatchObject({ status: 415, code: "body.media_type" });
  });
});

describe("the size", () => {
  test("is counted while a body of unknown length is read", async () => {
    const answer = await post("/api/v1/apply", stream(8 * 1024 * 1024 + 1));
    expect(answer.body).toMatchObject({ status: 413, code: "body.too_large" });
  });

  test("of an apply may reach its limit", async () => {
    const answer = await post("/api/v1/apply", stream(8 * 1024 * 1024));
    expect(answer.body).toMatchObject({ status: 400, code: "request.malformed" });
  });

  test("of everything else is small", async () => {
    const [over, at] = await Promise.all([
      post("/api/v1/tokens", "x".repeat(64 * 1024 + 1)),
      post("/api/v1/tokens", "x".repeat(64 * 1024)),
    ]);
    expect([over.status, at.status]).toEqual([413, 400]);
  });
});

describe("the grammar", () => {
  test.each([
    ["not JSON", "{documents: []}"],
    ["cut short", '{"documents": ['],
    ["YAML", "documents:\n  - kind: Service\n"],
  ])("%s is told with what is wrong", async (_, body) => {
    const answer = await post("/api/v1/apply", body);
    expect(answer.body).toMatchObject({
      status: 400,
      code: "request.malformed",
      detail: expect.stringMatching(/^The body is not JSON: .*JSON/),
    });
  });

  test("bytes that are no UTF-8", async () => {
    const answer = await post("/api/v1/apply", new Uint8Array([0x22, 0xff, 0x22]));
    expect(answer.body).toMatchObject({ status: 400, detail: "The body is not UTF-8." });
  });

  test.each([
    ["64 levels", 64, 422],
    ["65 levels", 65, 400],
    ["more levels than a stack has", 1_000_000, 400],
  ])("%s", async (_, depth, status) => {
    const answer = await post("/api/v1/apply", "[".repeat(depth) + "]".repeat(depth));
    expect(answer.status).toBe(status);
  });

  test("brackets in strings do not nest", async () => {
    const answer = await post("/api/v1/tokens", JSON.stringify({ workload: '"[['.repeat(80) }));
    expect(answer.body).toMatchObject({ status: 422, code: "config.invalid" });
  });
});

describe("the schema", () => {
  test("tells every invalid field at once", async () => {
    const refs = [
      { apiVersion: "v1", kind: "Service", namespace: "UPPER", name: "a" },
      { apiVersion: "v1", kind: "Service", namespace: "shop", name: "a", uid: "1" },
    ];
    const answer = await ask("/api/v1/delete", { method: "POST", json: { refs, force: true } });
    expect(answer.body).toMatchObject({
      status: 422,
      code: "config.invalid",
      fields: [
        { path: "refs[0].namespace" },
        { path: "refs[1].uid", message: "unknown field: check the spelling or remove it" },
        { path: "force", message: "unknown field: check the spelling or remove it" },
      ],
    });
  });

  test.each([
    ["/api/v1/revisions?limit=0", "query.limit"],
    ["/api/v1/revisions?limit=1001", "query.limit"],
    ["/api/v1/revisions?limit=ten", "query.limit"],
    ["/api/v1/revisions?limit=", "query.limit"],
    ["/api/v1/revisions?limit=1&limit=2", "query.limit"],
    ["/api/v1/revisions?page=2", "query.page"],
    ["/api/v1/diff", "query.from"],
    ["/api/v1/diff?from=-1", "query.from"],
    ["/api/v1/services?namespace=../x", "query.namespace"],
    ["/api/v1/services/UPPER/x", "path.namespace"],
    ["/api/v1/resources/svc/-/reviews", "path.namespace"],
    ["/api/v1/resources/ns/shop/shop", "path.namespace"],
    ["/api/v1/resources/svc/shop/a%2fb", "path.name"],
  ])("%s is 400 and names the field", async (path, field) => {
    const answer = await ask(path);
    expect(answer.body).toMatchObject({ status: 400, code: "request.malformed", fields: [{ path: field }] });
  });

  test("knows the kinds", async () => {
    const answer = await ask("/api/v1/resources/pods/shop/x");
    expect(answer.body).toMatchObject({
      status: 404,
      code: "resource.not_found",
      detail: expect.stringContaining("services"),
    });
  });
});

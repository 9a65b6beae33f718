import { expect, test } from "vitest";
import * as door from "../../shared/forward/door.ts";

function read(
  url: string,
  fields: Readonly<Record<string, string>> = {},
  source: door.Source = "outside",
): unknown {
  const entry = door.read({ method: "GET", url, headers: new Headers(fields) }, source);
  return entry.kind === "refusal" ? entry.problem.code : entry;
}

test("reads a raw request into one view", () => {
  const fields = {
    host: "Svc.Mesh.:8787",
    "x-forwarded-for": "1.2.3.4",
    "x-selvedge-hops": "3",
    te: "trailers",
  };

  expect(read("http://Svc.Mesh.:8787//a/%7Eb?q=%2F", fields)).toEqual({
    kind: "entry",
    view: {
      method: "GET",
      scheme: "http",
      authority: "Svc.Mesh.:8787",
      host: "svc.mesh",
      port: 8787,
      path: "/a/~b",
      query: "q=%2F",
      headers: new Headers(fields),
    },
    perHop: ["te"],
    owned: ["x-selvedge-hops"],
    forwarding: ["x-forwarded-for"],
    hops: 3,
  });
});

test.each<[string, string, Readonly<Record<string, string>>?]>([
  ["http://svc.mesh/a/../admin", "path.noncanonical"],
  ["http://svc.mesh/\\admin", "path.noncanonical"],
  ["http://svc.mesh\\admin", "path.noncanonical"],
  ["http://svc.mesh", "path.noncanonical"],
  ["http://svc.mesh?x", "path.noncanonical"],
  ["http://svc.mesh/a%2fb", "path.encoded"],
  ["http://good@evil/x", "host.invalid"],
  ["http://svc.mesh*", "host.invalid"],
  ["http://svc..mesh/", "host.invalid"],
  ["http:///x", "host.invalid"],
  ["http://a/x/path", "host.invalid", { host: "a/x" }],
  ["http://a/?x=/path", "host.invalid", { host: "a?x=" }],
  ["http://a/", "host.invalid", { host: "b" }],
  ["http://a/", "header.hopbyhop", { connection: "close, X-Selvedge-Peer" }],
  ["http://a/", "header.invalid", { x_forwarded_for: "1" }],
  ["http://a/", "loop.detected", { "x-selvedge-hops": "9" }],
  ["http://a/", "loop.detected", { "x-selvedge-hops": "-1" }],
  ["http://a/", "header.too_large", { "x-big": "x".repeat(65_536) }],
  [`http://a/${"x".repeat(16_384)}`, "path.too_long"],
])("refuses %s as %s", (url, code, fields = {}) => {
  expect(read(url, fields)).toBe(code);
});

test.each<[string, Readonly<Record<string, string>>]>([
  ["http://a:80/", { host: "a" }],
  ["http://a/", { host: "A." }],
  ["http://a/#fragment", {}],
  ["http://a/", { "x-selvedge-hops": "8" }],
  ["http://[::1]:8787/", { host: "[::1]:8787" }],
  [`http://a/${"x".repeat(16_383)}`, {}],
])("lets %s in", (url, fields) => {
  expect(read(url, fields)).toMatchObject({ kind: "entry" });
});

test("a Host that a Worker copied from another request means nothing", () => {
  expect(read("http://reviews:9080/", { host: "www.shop.test" }, "worker")).toMatchObject({
    view: { host: "reviews", port: 9080 },
  });
});

import { expect, test } from "vitest";
import * as redirect from "../../shared/engine/redirect.ts";
import type { RequestView } from "../../shared/engine/request.ts";
import type { PathMatch } from "../../shared/engine/route.ts";

type Aim = Omit<redirect.Redirect, "statusCode">;

/** A request as the door would show it. */
function viewOf(text: string): RequestView {
  const url = new URL(text);
  const scheme = url.protocol === "https:" ? "https" : "http";
  return {
    method: "GET",
    scheme,
    authority: url.host,
    host: url.hostname,
    port: url.port === "" ? { http: 80, https: 443 }[scheme] : Number(url.port),
    path: url.pathname,
    query: url.search.slice(1),
    headers: new Headers(),
  };
}

const prefixed = (value: string): PathMatch => ({ kind: "prefix", value });
const full = (value: string): Aim => ({ path: { kind: "full", value } });
const prefix = (value: string): Aim => ({ path: { kind: "prefix", value } });

test.each<[url: string, matched: string, aim: Aim, location: string]>([
  ["http://a.test/x", "/", {}, "http://a.test/x"],
  ["http://a.test/x?a=b&c", "/", { hostname: "b.test" }, "http://b.test/x?a=b&c"],
  ["http://a.test/x?", "/", { hostname: "b.test" }, "http://b.test/x"],
  // Scheme and port.
  ["http://a.test/x", "/", { scheme: "https" }, "https://a.test/x"],
  ["http://a.test:8080/x", "/", { scheme: "https" }, "https://a.test/x"],
  ["http://a.test:8080/x", "/", { scheme: "http" }, "http://a.test/x"],
  ["https://a.test:8443/x", "/", { scheme: "http" }, "http://a.test/x"],
  ["http://a.test:8080/x", "/", {}, "http://a.test:8080/x"],
  ["http://a.test:8080/x", "/", { hostname: "b.test" }, "http://b.test:8080/x"],
  ["https://a.test/x", "/", { hostname: "b.test" }, "https://b.test/x"],
  ["http://a.test/x", "/", { port: 8083 }, "http://a.test:8083/x"],
  ["http://a.test:8080/x", "/", { port: 80 }, "http://a.test/x"],
  ["http://a.test/x", "/", { port: 443 }, "http://a.test:443/x"],
  ["http://a.test:8080/x", "/", { scheme: "https", port: 443 }, "https://a.test/x"],
  ["http://a.test/x", "/", { scheme: "https", port: 80 }, "https://a.test:80/x"],
  ["http://a.test/x", "/", { scheme: "https", port: 8443, hostname: "b.test" }, "https://b.test:8443/x"],
  ["http://[::1]:8787/x", "/", {}, "http://[::1]:8787/x"],
  // Path.
  ["http://a.test/full/path/original?q", "/full", full("/replacement"), "http://a.test/replacement?q"],
  ["http://a.test/original-prefix/lemon", "/original-prefix", prefix("/new"), "http://a.test/new/lemon"],
  [
    "http://a.test/path-and-host",
    "/path-and-host",
    { hostname: "b.test", ...prefix("/new") },
    "http://b.test/new",
  ],
  ["http://a.test/foo/bar", "/", prefix("/qux"), "http://a.test/qux/foo/bar"],
])("%s by %s with %j: %s", (url, matched, aim, location) => {
  expect(redirect.locate({ ...aim, statusCode: 302 }, viewOf(url), prefixed(matched))).toBe(location);
});

test.each([
  // The table of Gateway API's ReplacePrefixMatch.
  ["/foo/bar", "/foo", "/xyz", "/xyz/bar"],
  ["/foo/bar", "/foo", "/xyz/", "/xyz/bar"],
  ["/foo/bar", "/foo/", "/xyz", "/xyz/bar"],
  ["/foo/bar", "/foo/", "/xyz/", "/xyz/bar"],
  ["/foo", "/foo", "/xyz", "/xyz"],
  ["/foo/", "/foo", "/xyz", "/xyz/"],
  ["/foo/bar", "/foo", "", "/bar"],
  ["/foo/", "/foo", "", "/"],
  ["/foo", "/foo", "", "/"],
  ["/foo/", "/foo", "/", "/"],
  ["/foo", "/foo", "/", "/"],
  // What it leaves out.
  ["/foo/bar", "/foo", "/", "/bar"],
  ["/foo/bar/", "/foo", "/", "/bar/"],
  ["/foo", "/foo", "/xyz/", "/xyz"],
  ["/foo", "/foo/", "/xyz", "/xyz"],
  ["/", "/", "/", "/"],
  ["/", "/", "", "/"],
  ["/", "/", "/xyz", "/xyz"],
  ["/a", "/", "/xyz", "/xyz/a"],
  ["/a/", "/", "/", "/a/"],
  ["/prefix/one/two", "/prefix/one", "/one", "/one/two"],
  ["/foo/foo/foo", "/foo", "/bar", "/bar/foo/foo"],
])("%s with prefix %s replaced by '%s' is %s", (path, matched, value, expected) => {
  expect(redirect.rewritePath({ kind: "prefix", value }, path, prefixed(matched))).toBe(expected);
});

test("an exact match is its own prefix", () => {
  const rewrite = { kind: "prefix", value: "/xyz" } as const;
  expect(redirect.rewritePath(rewrite, "/foo/bar", { kind: "exact", value: "/foo/bar" })).toBe("/xyz");
});

test.each([
  ["/one", "/one"],
  ["/one/", "/one/"],
  ["", "/"],
])("a full rewrite to '%s' is %s", (value, expected) => {
  expect(redirect.rewritePath({ kind: "full", value }, "/full/one/two", prefixed("/full"))).toBe(expected);
});

test.each<[matched: PathMatch, value: string, path: string, expected: string]>([
  [{ kind: "text-prefix", value: "/api" }, "/v2", "/api/x", "/v2/x"],
  [{ kind: "text-prefix", value: "/api" }, "/v2", "/apix", "/v2x"],
  [{ kind: "text-prefix", value: "/api" }, "/", "/api/x", "/x"],
  [{ kind: "text-prefix", value: "/api/" }, "/", "/api/x", "/x"],
  [{ kind: "text-prefix", value: "/api" }, "/", "/api", "/"],
  [{ kind: "text-prefix", value: "/api/" }, "/v2", "/api/x", "/v2x"],
  [{ kind: "text-prefix", value: "/" }, "/v2/", "/x", "/v2/x"],
  [{ kind: "text-prefix", value: "/api" }, "v2", "/api/x", "/v2/x"],
  [{ kind: "text-prefix", value: "/API", ignoresCase: true }, "/v2", "/api/x", "/v2/x"],
  [{ kind: "prefix", value: "/API", ignoresCase: true }, "/v2", "/api/x", "/v2/x"],
  [{ kind: "prefix", value: "/API", ignoresCase: true }, "/v2", "/api", "/v2"],
  [{ kind: "exact", value: "/API/", ignoresCase: true }, "/v2", "/api/", "/v2"],
  [{ kind: "regex", value: "/a.*" }, "/v2", "/api/x", "/v2"],
])("matched by %j, prefix to %s: %s becomes %s", (matched, value, path, expected) => {
  expect(redirect.rewritePath({ kind: "prefix", value }, path, matched)).toBe(expected);
});

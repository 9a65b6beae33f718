import { describe, expect, test } from "vitest";
import * as path from "../../shared/engine/path.ts";
import { oneOf, seeded, severalOf } from "./random.ts";

const NONCANONICAL = { kind: "reject", code: "path.noncanonical" };
const ENCODED = { kind: "reject", code: "path.encoded" };

test.each([
  ["/", "/", ""],
  ["/admin", "/admin", ""],
  ["/ADMIN", "/ADMIN", ""],
  ["/app/", "/app/", ""],
  ["/a/b?x=1", "/a/b", "x=1"],
  ["/admin?", "/admin", ""],
  ["/abc??x=%2f/../y", "/abc", "?x=%2f/../y"],
  ["/a?b?c", "/a", "b?c"],
  // Unreserved characters have one spelling, everything else keeps its escape.
  ["/%61dmin", "/admin", ""],
  ["/%7Euser/%2dx%5F", "/~user/-x_", ""],
  ["/admin%23x", "/admin%23x", ""],
  ["/admin%3f", "/admin%3F", ""],
  ["/a%2bb+c", "/a%2Bb+c", ""],
  ["/%e2%82%ac", "/%E2%82%AC", ""],
  ["/50%25", "/50%25", ""],
  ["/50%25%30", "/50%250", ""],
  ["/a%3Bb", "/a%3Bb", ""],
  ["/a%20b", "/a%20b", ""],
  // What RFC 3986 has no place for gets the spelling of its escape.
  ["/a{b}|c", "/a%7Bb%7D%7Cc", ""],
  ['/[0]^`"<>', "/%5B0%5D%5E%60%22%3C%3E", ""],
  ["/!$&'()*+,=:@", "/!$&'()*+,=:@", ""],
  // Slashes are merged.
  ["//admin", "/admin", ""],
  ["///admin//x///", "/admin/x/", ""],
  ["//evil.test/x", "/evil.test/x", ""],
  ["/a//b?a=///c", "/a/b", "a=///c"],
  // Dots that are no dot segment.
  ["/.well-known/jwks.json", "/.well-known/jwks.json", ""],
  ["/...", "/...", ""],
  ["/a..b/..c/d..", "/a..b/..c/d..", ""],
  ["/xyz%30..", "/xyz0..", ""],
])("%s is %s", (target, canonical, query) => {
  expect(path.canonicalize(target)).toEqual({ kind: "ok", path: canonical, query });
});

test.each([
  "",
  "*",
  "admin",
  "?x=1",
  "http://evil.test/admin",
  "/.",
  "/..",
  "/./admin",
  "/a/../admin",
  "/a/%2e%2e/admin",
  "/a/.%2E/admin",
  "/a/%2e/admin",
  "/a//../admin",
  "/a/..",
  "/a/.?x",
  "/a\\..\\admin",
  "/\\admin",
  "/\\evil.test/x",
  "/admin;a=b",
  "/a/..;/admin",
  "/;/admin",
  "/a/..%3B/admin",
  "/a/.%3bx/admin",
  "/%3B/admin",
  "/a/...%3B/admin",
  "/admin#frag",
  "/a b",
  "/a\tb",
  "/a\r\nx: y",
  "/a\0",
  "/é",
  "/a?x=\r\nb",
  "/a?x=é",
  "/a?x#y",
])("%j is not canonical", (target) => {
  expect(path.canonicalize(target)).toEqual(NONCANONICAL);
});

test.each([
  "/a/..%2fadmin",
  "/a%2f..%2Fadmin",
  "/admin%2f",
  "/a/..%5cadmin",
  "/%5C",
  "/admin%00",
  "/a%0d%0ax",
  "/a%1F",
  "/a%7f",
  "/%252e%252e/admin",
  "/%252E/admin",
  "/a%252fb",
  "/a%255Cb",
  "/a%2500",
  "/a%25252525252fb",
  // What nobody has cause to encode, encoded twice.
  "/%2561dmin",
  "/a%2564min",
  "/%252561dmin",
  "/%255Fadmin",
  "/%2541",
  "/%25%32%65",
  "/%25%32%66",
  "/%c0%af/admin",
  "/%e0%80%af",
  "/%ed%a0%80",
  "/%f4%90%80%80",
  "/%ff",
  "/%e2%82",
  "/a%",
  "/a%2",
  "/a%zz",
  "/a%%2f",
  "/xyz/AAAAA%%0000/abc",
])("%j hides something", (target) => {
  expect(path.canonicalize(target)).toEqual(ENCODED);
});

test.each<[level: path.PathLevel, target: string, canonical: string, query?: string]>([
  ["none", "/a/../b//c\\d%2F;e?x=1#f", "/a/../b//c\\d%2F;e", "x=1"],
  ["none", "/a%", "/a%"],
  ["none", "/#/x?y", "/"],
  ["base", "/a/../b//c\\d%2F;e?x=/../y", "/b//c/d%2F;e", "x=/../y"],
  ["base", "/%41%2d%c3%A9", "/A-%c3%A9"],
  ["base", "/a/..", "/"],
  ["base", "/a/b/.", "/a/b/"],
  ["base", "/../..", "/"],
  ["base", "/a/%2E%2e/b", "/b"],
  ["base", "/a\\..\\b", "/b"],
  ["base", "/a/..%2fb", "/a/..%2fb"],
  ["base", "/a//", "/a//"],
  ["merge-slashes", "//a///..//b", "/a/b"],
  ["merge-slashes", "/a\\\\b", "/a/b"],
  ["decode-and-merge-slashes", "/a%2F..%5cb%2f", "/b/"],
  ["decode-and-merge-slashes", "/%2f%5C", "/"],
  ["decode-and-merge-slashes", "/%252f", "/%252f"],
])("at level %s %s is %s", (level, target, canonical, query = "") => {
  expect(path.canonicalize(target, level)).toEqual({ kind: "ok", path: canonical, query });
});

test.each<[level: path.PathLevel, target: string, result: object]>([
  ["none", "a", NONCANONICAL],
  ["none", "*", NONCANONICAL],
  ["none", "", NONCANONICAL],
  ["none", "/a b", NONCANONICAL],
  ["none", "/a?\r\nb", NONCANONICAL],
  ["base", "/é", NONCANONICAL],
  ["base", "/a%00", ENCODED],
  ["base", "/a%", ENCODED],
  // Decoding it once would make a dot segment of what was none.
  ["base", "/a/%%32e%%32e/b", ENCODED],
  ["decode-and-merge-slashes", "/a/%%32f", ENCODED],
  ["decode-and-merge-slashes", "/a/%2%32f", ENCODED],
  ["merge-slashes", "/a%zz", ENCODED],
])("at level %s %j is refused", (level, target, result) => {
  expect(path.canonicalize(target, level)).toEqual(result);
});

describe("of random targets", () => {
  const ESCAPES = ["%2e", "%2E", "%2f", "%5c", "%25", "%61", "%3b", "%3f", "%c3%a9", "%c0", "%00"];
  const PIECES = [..."/aZ09-._~;%\\#?!&=:@[{ ", ...ESCAPES, "//", "..", "2e", "2f"];
  const random = seeded(1);
  const targets = Array.from({ length: 20_000 }, () => {
    return `/${severalOf(random, 0, 8, () => oneOf(random, PIECES)).join("")}`;
  });
  const accepted = targets.flatMap((target) => {
    const result = path.canonicalize(target);
    return result.kind === "ok" ? [{ target, ...result }] : [];
  });

  test("enough are accepted and enough refused to say something", () => {
    expect(accepted.length).toBeGreaterThan(2_000);
    expect(accepted.length).toBeLessThan(18_000);
  });

  test("a canonical path is canonical", () => {
    for (const { path: canonical, query } of accepted) {
      expect(path.canonicalize(canonical)).toEqual({ kind: "ok", path: canonical, query: "" });
      expect(query).not.toContain("#");
    }
  });

  test.each<path.PathLevel>(["none", "base", "merge-slashes", "decode-and-merge-slashes"])(
    "what level %s makes of them, it leaves as it is",
    (level) => {
      const results = targets.map((target) => path.canonicalize(target, level));
      const made = results.flatMap((result) => (result.kind === "ok" ? [result.path] : []));
      expect(made.length).toBeGreaterThan(2_000);
      for (const canonical of made) {
        const again = path.canonicalize(canonical, level);
        if (again.kind !== "ok" || again.path !== canonical) expect(again).toEqual(canonical);
      }
    },
  );

  test("a URL parser leaves a canonical path as it is", () => {
    for (const { path: canonical } of accepted) {
      expect(new URL(`http://host.test${canonical}`).pathname).toBe(canonical);
    }
  });

  test("no number of further decodings brings a separator or a dot segment into a canonical path", () => {
    for (const { path: canonical } of accepted) {
      const separators = count(canonical, "/");
      let text = canonical;
      for (let pass = 0; pass < 4; pass++) {
        text = unescapeOnce(text);
        expect(count(text, "/")).toBe(separators);
        expect(text).not.toMatch(/\\|\/\.{1,2}(?:\/|$)/);
      }
    }
  });

  test("decoding tells what the client meant: only slashes were merged", () => {
    for (const { target, path: canonical } of accepted) {
      const meant = decodeURIComponent(target.split("?")[0] ?? "").replace(/\/+/g, "/");
      expect(decodeURIComponent(canonical)).toBe(meant);
    }
  });
});

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}

function unescapeOnce(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_escape, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

test.each([
  ["escapes", "/" + "%25".repeat(5_400)],
  ["numbers that could be escapes", "/%" + "25".repeat(8_000)],
  ["slashes", "/".repeat(16_000)],
  ["dots", "/".padEnd(16_000, ".") + "%3"],
])("a long target of %s takes no longer than its length explains", (_name, target) => {
  const startedAt = performance.now();
  for (let run = 0; run < 20; run++) path.canonicalize(target);
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

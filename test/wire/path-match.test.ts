import { describe, expect, test } from "vitest";
import { canonicalPath, canonicalPathMatch } from "../../shared/wire/path-match.ts";

describe("canonicalPath", () => {
  test.each([
    ["/", "/"],
    ["/a/b", "/a/b"],
    ["/a/", "/a/"],
    ["/%61", "/a"],
    ["/a%c3%a9", "/a%C3%A9"],
    ["/café", "/caf%C3%A9"],
    ["/a b", "/a%20b"],
    ["/\ud800", "/%EF%BF%BD"],
    ["/.git", "/.git"],
  ])("%j is %j", (text, expected) => {
    expect(canonicalPath(text)).toBe(expected);
  });

  test.each([
    [""],
    ["a"],
    ["//"],
    ["/a//b"],
    ["/a/../b"],
    ["/a/."],
    ["/a/%2e%2e/b"],
    ["/a?b"],
    ["/a#b"],
    ["/a;b"],
    ["/a\\b"],
    ["/a%2fb"],
    ["/a%5Cb"],
    ["/a%00"],
    ["/a%"],
    ["/%zz"],
  ])("no request has the path %j", (text) => {
    expect(canonicalPath(text)).toBeNull();
  });
});

describe("canonicalPathMatch", () => {
  test.each([
    ["*", { kind: "present" }],
    ["/admin", { kind: "exact", value: "/admin" }],
    ["/admin*", { kind: "prefix", value: "/admin" }],
    ["/*", { kind: "prefix", value: "/" }],
    ["/.*", { kind: "prefix", value: "/." }],
    ["/é/*", { kind: "prefix", value: "/%C3%A9/" }],
    ["*/info", { kind: "suffix", value: "/info" }],
    ["*.php", { kind: "suffix", value: ".php" }],
    ["*é", { kind: "suffix", value: "%C3%A9" }],
    ["admin", null],
    ["admin*", null],
    ["/a//*", null],
    ["/../*", null],
    ["/a%*", null],
    ["*?x", null],
  ])("%j is %j", (text, expected) => {
    expect(canonicalPathMatch(text)).toEqual(expected);
  });
});

import { describe, expect, test } from "vitest";
import { compilePattern, parsePattern } from "../../shared/wire/pattern.ts";

describe("an expression matches a whole text", () => {
  test.each([
    ["/v[12]/.*", "/v1/x", true],
    ["/v[12]/.*", "/x/v1/x", false],
    ["/v[12]", "/v1/x", false],
    ["a|b", "ab", false],
    ["(?i)jason", "JASON", true],
    ["^a$", "a", true],
    [".*", "", true],
  ])("%s on %s: %s", (source, text, expected) => {
    expect(compilePattern(source)(text)).toBe(expected);
  });
});

test.each([
  ["", "must not be empty"],
  ["x".repeat(257), "is too long: at most 256 characters"],
  ["[", "is no RE2 expression: missing closing ]: `[`"],
  ["(?=a)b", "is no RE2 expression: invalid or unsupported Perl syntax: `(?=`"],
  ["(a)\\1", "is no RE2 expression: invalid escape sequence: `\\1`"],
  ["(.{0,100}){0,9}", "is too large: it compiles to 1829 steps, at most 500; repeat less"],
])("%s is refused with the reason", (source, message) => {
  expect(parsePattern(source)).toEqual({ ok: false, message });
});

test("an expression that takes others exponential time takes little", () => {
  const startedAt = performance.now();
  expect(compilePattern("(a+)+b")("a".repeat(16_000))).toBe(false);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

test("a snapshot with an expression that is none is broken", () => {
  expect(() => compilePattern("[")).toThrow("missing closing ]");
});

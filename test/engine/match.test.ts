import { expect, test } from "vitest";
import * as match from "../../shared/engine/match.ts";

test.each<[string, match.StringMatch]>([
  ["*", { kind: "present" }],
  ["abc", { kind: "exact", value: "abc" }],
  ["", { kind: "exact", value: "" }],
  ["abc*", { kind: "prefix", value: "abc" }],
  ["*abc", { kind: "suffix", value: "abc" }],
  ["a*c", { kind: "exact", value: "a*c" }],
  ["*/x*", { kind: "suffix", value: "/x*" }],
  ["**", { kind: "suffix", value: "*" }],
  ["abc**", { kind: "prefix", value: "abc*" }],
])("%s is read as %o", (text, expected) => {
  expect(match.parseStringMatch(text)).toEqual(expected);
});

test.each<[pattern: string, matching: string[], others: string[]]>([
  ["*", ["x", "*", " "], [""]],
  ["/productpage", ["/productpage"], ["/productpagex", "x/productpage", "/PRODUCTPAGE", "/productpag", ""]],
  ["/product*", ["/product", "/productx", "/product/a/b"], ["x/product", "/PRODUCT", "/produc", ""]],
  ["*.example", [".example", "a.example", "a.b.example"], ["a.examplex", "A.EXAMPLE", "example", ""]],
  ["*/x*", ["/x*", "a/x*"], ["/x", "/xa", "a/x*b", ""]],
  ["a*c", ["a*c"], ["abc", "ac", ""]],
  ["", [""], ["x"]],
])("%s holds for %o and not for %o", (pattern, matching, others) => {
  const read = match.parseStringMatch(pattern);
  const values = [...matching, ...others];
  expect(values.filter((value) => match.matches(read, value))).toEqual(matching);
});

test.each<[string, match.StringMatch]>([
  ["*a b*", { kind: "contains", value: "a b" }],
  ["*", { kind: "present" }],
  ["**", { kind: "suffix", value: "*" }],
  ["*a", { kind: "suffix", value: "a" }],
])("%s of a header is read as %o", (text, expected) => {
  expect(match.parseHeaderMatch(text)).toEqual(expected);
});

test("a part may stand anywhere in a value", () => {
  const read = match.parseHeaderMatch("*foo=*");
  const values = ["foo=", "a=b; foo=c", "xfoo=", "foo", "", "FOO="];
  expect(values.filter((value) => match.matches(read, value))).toEqual(["foo=", "a=b; foo=c", "xfoo="]);
});

test.each<[string[], string, boolean]>([
  [[], "", false],
  [["a", "b*"], "bc", true],
  [["a", "b*"], "cb", false],
  [["*a", "b"], "b", true],
])("any of %o holds for %s: %s", (patterns, value, expected) => {
  expect(match.matchesAny(patterns.map(match.parseStringMatch), value)).toBe(expected);
});

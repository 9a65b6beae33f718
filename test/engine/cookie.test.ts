import { expect, test } from "vitest";
import { cookieOf, cookiesOf, setCookie } from "../../shared/engine/cookie.ts";

test.each([
  [null, null],
  ["", null],
  ["a=1", "1"],
  ["b=2; a=1", "1"],
  ["b=2;a=1", "1"],
  ["a=1; a=2", "1"],
  ["a=", ""],
  ["a", null],
  ["A=1", null],
  ["aa=1; ba=2", null],
  ["a=x=y", "x=y"],
  [" a = 1 ", "1"],
])("the cookie a in %j", (field, value) => {
  expect(cookieOf(field, "a")).toBe(value);
});

test.each([
  [null, "a=1; Path=/; HttpOnly"],
  [1500, "a=1; Path=/; Max-Age=2; HttpOnly"],
])("set for %j ms", (maxAgeMs, value) => {
  expect(setCookie({ name: "a", value: "1", path: "/", maxAgeMs })).toEqual({ name: "set-cookie", value });
});

test.each([
  [null, []],
  ["b=2", []],
  ["a=1; b=2; a=3", ["1", "3"]],
  ["b=2, a=1", ["1"]],
  ["b=2,a=1;a=1", ["1", "1"]],
  ["a=x=y", ["x=y"]],
])("all cookies a in %j", (field, values) => {
  expect(cookiesOf(field, "a")).toEqual(values);
});

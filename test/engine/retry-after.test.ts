import { expect, test } from "vitest";
import { retryAfterMs } from "../../shared/engine/retry-after.ts";
import { seeded } from "./random.ts";

const T = Date.UTC(1994, 10, 6, 8, 49, 37);

test.each([
  ["0", 0],
  ["120", 120_000],
  [" 7 ", 7000],
  ["Sun, 06 Nov 1994 08:49:39 GMT", 2000],
  ["Sun, 06 Nov 1994 08:49:36 GMT", 0],
  ["Sunday, 06-Nov-94 08:49:39 GMT", null],
  ["Sun, 06 Foo 1994 08:49:39 GMT", null],
  ["-1", null],
  ["1.5", null],
  ["9999999999", null],
  ["", null],
])("Retry-After: %s", (value, expected) => {
  expect(retryAfterMs(new Headers({ "retry-after": value }), T)).toBe(expected);
});

test("without the field", () => {
  expect(retryAfterMs(new Headers(), T)).toBe(null);
});

test("dates are those of the platform's clock", () => {
  const random = seeded(1);
  for (let round = 0; round < 2000; round++) {
    const instant = Math.floor(random() * 4_102_444_800) * 1000;
    const field = new Date(instant).toUTCString();
    expect(retryAfterMs(new Headers({ "retry-after": field }), 0)).toBe(instant);
  }
});

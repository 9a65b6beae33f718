import { expect, test } from "vitest";
import { parseDuration } from "../../shared/wire/duration.ts";

test.each([
  ["0s", 0],
  ["500ms", 500],
  ["15s", 15_000],
  ["1m30s", 90_000],
  ["2h", 7_200_000],
  ["1h2m3s4ms", 3_723_004],
  ["5m5m", 600_000],
  ["99999h", 359_996_400_000],
  ["", null],
  ["15", null],
  ["1.5s", null],
  ["-1s", null],
  ["100000s", null],
  ["1h1h1h1h1h", null],
  ["1d", null],
  ["1s ", null],
  ["1S", null],
])("%j is %j milliseconds", (text, expected) => {
  expect(parseDuration(text)).toEqual(expected);
});

import { expect, test } from "vitest";
import { ageText, parseDuration } from "../../cli/duration.ts";

test.each([
  ["500ms", 500],
  ["30s", 30_000],
  ["30", 30_000],
  ["5m", 300_000],
  ["1h", 3_600_000],
])("%s is %d ms", (text, ms) => {
  expect(parseDuration(text, "--ttl")).toBe(ms);
});

test.each(["", "0", "0s", "-1s", "1.5s", "1w", "s", "5 m", "1h30m", "9999999999"])(
  "%j is no duration",
  (text) => {
    expect(() => parseDuration(text, "--ttl")).toThrow(`--ttl: "${text}" is no duration`);
  },
);

test.each([
  [-5, "0s"],
  [0, "0s"],
  [119_999, "119s"],
  [120_000, "2m"],
  [7_199_999, "119m"],
  [7_200_000, "2h"],
  [172_799_999, "47h"],
  [172_800_000, "2d"],
])("%d ms ago is %s", (ms, text) => {
  expect(ageText(ms)).toBe(text);
});

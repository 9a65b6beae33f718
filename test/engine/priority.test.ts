import { expect, test } from "vitest";
import { parsePriority } from "../../shared/engine/priority.ts";

test.each([
  ["high", "high"],
  ["default", "default"],
  ["low", "low"],
  ["High", null],
  ["", null],
  [null, null],
])("the header %j says %j", (header, expected) => {
  expect(parsePriority(header)).toBe(expected);
});

import { expect, test } from "vitest";
import { edit, type HeaderEdit } from "../../shared/engine/filter.ts";

const SENT = { "x-a": "1", "x-b": "2", "x-c": "3" };

test.each<[name: string, change: HeaderEdit, expected: Record<string, string>]>([
  ["nothing", { set: [], add: [], remove: [] }, SENT],
  ["remove, whatever its case", { set: [], add: [], remove: ["X-A", "x-none"] }, { "x-b": "2", "x-c": "3" }],
  ["set replaces", { set: [["x-a", "9"]], add: [], remove: [] }, { ...SENT, "x-a": "9" }],
  [
    "add keeps",
    {
      set: [],
      add: [
        ["x-a", "9"],
        ["x-d", "4"],
      ],
      remove: [],
    },
    { ...SENT, "x-a": "1, 9", "x-d": "4" },
  ],
  ["set comes after remove", { set: [["x-a", "9"]], add: [], remove: ["x-a"] }, { ...SENT, "x-a": "9" }],
  [
    "add comes after set",
    { set: [["x-a", "8"]], add: [["x-a", "9"]], remove: ["x-a"] },
    { ...SENT, "x-a": "8, 9" },
  ],
])("%s", (_name, change, expected) => {
  const headers = new Headers(SENT);
  edit(headers, change);
  expect(Object.fromEntries(headers)).toEqual(expected);
});

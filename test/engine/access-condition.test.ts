import { expect, test } from "vitest";
import { holds, type Condition } from "../../shared/engine/access-condition.ts";

/** Whether a condition on `x-role` holds in a rule that restricts, and in one that lets in. */
function held(lists: object, value: string | null): string {
  const condition = { kind: "header", name: "x-role", ...lists } satisfies Condition;
  const headers = { get: () => value };
  const input = { caller: null, host: "a", port: 80, method: "GET", path: "/", headers, now: 0 };
  return `${holds(condition, input, true)} ${holds(condition, input, false)}`;
}

const A = { values: [{ kind: "exact", value: "a" }] } as const;
const NOT_A = { notValues: [{ kind: "exact", value: "a" }] } as const;

test.each([
  [A, "a", "true true"],
  [A, "b", "false false"],
  [A, null, "false false"],
  // A list keeps out by each of its values, and lets in by none.
  [A, "b, a", "true false"],
  [A, "a,b", "true false"],
  [A, " a ,b", "true false"],
  [A, ",a", "true false"],
  [A, "b, c", "false false"],
  [NOT_A, "a", "false false"],
  [NOT_A, "b", "true true"],
  [NOT_A, null, "true true"],
  [NOT_A, "b, a", "true false"],
  [NOT_A, "b, c", "true true"],
])("%j of a field that says %j", (lists, value, expected) => {
  expect(held(lists, value)).toBe(expected);
});

test("what only a newer release knows is no way in", () => {
  const condition: Condition = JSON.parse('{ "kind": "weather", "values": ["fair"] }');
  const headers = { get: () => null };
  const input = { caller: null, host: "a", port: 80, method: "GET", path: "/", headers, now: 0 };
  expect([holds(condition, input, true), holds(condition, input, false)]).toEqual([true, false]);
});

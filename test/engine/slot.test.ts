import { expect, test } from "vitest";
import { expire, heldUntil } from "../../shared/engine/slot.ts";

test.each([
  ["as long as the call may last", 500, 1_500],
  ["no longer than five minutes", 3_600_000, 301_000],
  ["five minutes without a limit", null, 301_000],
])("a slot is held %s", (_name, leftMs, expected) => {
  expect(heldUntil(1_000, leftMs)).toBe(expected);
});

test("frees what is over, from the oldest on, up to the first that is not", () => {
  const slots = [1, 2, 5, 3].map((until) => ({ until }));
  const held = new Set(slots);
  expire(held, 2);
  expect([...held]).toEqual([{ until: 5 }, { until: 3 }]);
  expire(held, 4);
  expect(held.size).toBe(2);
  expire(held, 5);
  expect(held.size).toBe(0);
});

import { expect, test } from "vitest";
import { forgottenAt, rotationDueAt, type RingKey } from "../../durable-objects/key-ring.ts";

const DAY = 86_400_000;
const MINUTE = 60_000;

const current: RingKey = { kid: "c", state: "current", publishedAt: 5, signsSince: 1000, retiredAt: null };
const previous: RingKey = { kid: "p", state: "previous", publishedAt: 1, signsSince: 2, retiredAt: 3 };

function next(publishedAt: number | null): RingKey {
  return { kid: "n", state: "next", publishedAt, signsSince: null, retiredAt: null };
}

test.each([
  ["a day after the current key began", [current, next(2000)], false, 1000 + DAY],
  ["a minute after a late publication", [current, next(DAY + 5000)], false, DAY + 5000 + MINUTE],
  ["a minute after its publication when asked for", [current, next(2000)], true, 2000 + MINUTE],
  ["never while the next key is not published", [current, next(null)], true, null],
  ["never without keys", [], true, null],
  ["as without previous keys", [previous, current, next(2000)], false, 1000 + DAY],
])("the next key takes over %s", (_name, keys, isWanted, dueAt) => {
  expect(rotationDueAt({ keys, isWanted })).toBe(dueAt);
});

test.each([
  ["a previous key, an hour and the clock skew after its last signature", previous, 3 + 3_600_000 + 30_000],
  ["the current key, never", current, null],
  ["the next key, never", next(1), null],
])("the authority forgets %s", (_name, key, at) => {
  expect(forgottenAt(key)).toBe(at);
});

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
  ["a day after the current key began", [current, next(2000)], null, 1000 + DAY],
  ["a minute after a late publication", [current, next(DAY + 5000)], null, DAY + 5000 + MINUTE],
  ["at once when asked for", [current, next(2000)], 90_000, 90_000],
  ["a minute after publication, though asked for", [current, next(2000)], 3000, 2000 + MINUTE],
  ["never while the next key is not published", [current, next(null)], 3000, null],
  ["never without keys", [], 3000, null],
  ["as without previous keys", [previous, current, next(2000)], null, 1000 + DAY],
])("the next key takes over %s", (_name, keys, wantedAt, dueAt) => {
  expect(rotationDueAt({ keys, wantedAt })).toBe(dueAt);
});

test.each([
  ["a previous key, an hour and the clock skew after its last signature", previous, 3 + 3_600_000 + 30_000],
  ["the current key, never", current, null],
  ["the next key, never", next(1), null],
])("the authority forgets %s", (_name, key, at) => {
  expect(forgottenAt(key)).toBe(at);
});

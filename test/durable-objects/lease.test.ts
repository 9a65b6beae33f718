import { describe, expect, test } from "vitest";
import { heartbeatEveryMs, hold, renew, sweep, type HeldLease } from "../../durable-objects/lease.ts";
import type { Registration } from "../../shared/wire/rpc.ts";

const TTL = 9_000;
const NOW = 1_000_000;

function registration(id: string): Registration {
  const address = `https://${id}.example`;
  return { id, address, labels: {}, weight: 1, serviceAccount: null, isJoined: false, ttlMs: TTL };
}

/** `a-100` has run out 100 ms ago, `b+4000` ends in 4 s, a `?` marks a doubted lease. */
function leases(text: string): HeldLease[] {
  return text
    .split(" ")
    .filter((word) => word !== "")
    .map((word) => {
      const [, id = "", offset = ""] = /^([a-z]+)([+-]\d+)/.exec(word) ?? [];
      return {
        registration: registration(id),
        expiresAt: NOW + Number(offset),
        isDoubted: word.endsWith("?"),
        isDraining: false,
        since: NOW - 60_000,
      };
    });
}

const ids = (list: readonly HeldLease[]): string => list.map(({ registration: { id } }) => id).join(" ");

test("a lease is as old as its first registration, whatever renews it", () => {
  const changed = { ...registration("a"), weight: 2 };
  const held = { ...hold(registration("a"), NOW), isDoubted: true };
  expect(renew(held, changed, NOW + 5_000)).toEqual({
    registration: changed,
    expiresAt: NOW + 5_000 + TTL,
    isDoubted: false,
    isDraining: false,
    since: NOW,
  });
});

test("beats keep an endpoint draining", () => {
  const held = { ...hold(registration("a"), NOW), isDraining: true };
  expect(renew(held, held.registration, NOW + 1).isDraining).toBe(true);
});

describe("sweep", () => {
  test.each([
    ["nothing is held", "", "", ""],
    ["all beat", "a+9000 b+6000 c+6001", "", ""],
    ["one of one has run out", "a-1", "a", ""],
    ["the limit itself: it ends now", "a+0 b+9000 c+9000", "a", ""],
    ["both of two", "a-1 b-1", "a b", ""],
    ["one of three", "a-1 b+9000 c+9000", "a", ""],
    ["half of four is not most", "a-1 b-1 c+9000 d+9000", "a b", ""],
    ["two of three are most", "a-1 b-1 c+9000", "", "a b"],
    ["an outage: the others are late and will run out one by one", "a-1 b+2999 c+3000", "", "a"],
    ["the others have missed one beat only", "a-1 b+3001 c+3001", "a", ""],
    ["a second term without a beat", "a-1? b-1? c-1?", "a b c", ""],
    ["a doubted lease in its second term keeps", "a+5000? b+5000? c-1", "", "c"],
    ["doubted and new together", "a-1? b-1 c-1", "a", "b c"],
    ["an hour idle: an alarm that came late", "a-3600000 b-3600000 c-3600000", "", "a b c"],
    ["a clock that steps back", "a+3600000 b+3600000", "", ""],
  ])("%s", (_name, held, lapsed, doubted) => {
    const swept = sweep(leases(held), NOW);
    expect([ids(swept.lapsed), ids(swept.doubted)]).toEqual([lapsed, doubted]);
  });

  test("a doubted lease gets one whole term from now on", () => {
    const [doubted] = sweep(leases("a-5000 b-5000 c-5000"), NOW).doubted;
    expect(doubted).toEqual({
      registration: registration("a"),
      expiresAt: NOW + TTL,
      isDoubted: true,
      isDraining: false,
      since: NOW - 60_000,
    });
  });

  test("a service whose instances have all died is empty after two terms", () => {
    let held = Array.from({ length: 20 }, (_, index) => hold(registration(`e${index}`), NOW + index * 150));
    for (let now = NOW; now <= NOW + 20 * 150 + 2 * TTL; now += 50) {
      const { lapsed, doubted } = sweep(held, now);
      const byId = new Map(doubted.map((lease) => [lease.registration.id, lease]));
      held = held
        .filter((lease) => !lapsed.includes(lease))
        .map((lease) => byId.get(lease.registration.id) ?? lease);
    }
    expect(held).toEqual([]);
  });

  test("an outage of one term loses no instance, however their beats are spread", () => {
    const everyMs = heartbeatEveryMs(TTL);
    let held = Array.from({ length: 20 }, (_, index) => hold(registration(`e${index}`), NOW - index * 150));
    const everDoubted = new Set<string>();
    for (let now = NOW; now <= NOW + 6 * TTL; now += 50) {
      const isDown = now >= NOW + TTL && now < NOW + 2 * TTL;
      const { lapsed, doubted } = sweep(held, now);
      expect(lapsed).toEqual([]);
      const byId = new Map(doubted.map((lease) => [lease.registration.id, lease]));
      for (const id of byId.keys()) everDoubted.add(id);
      held = held
        .map((lease) => byId.get(lease.registration.id) ?? lease)
        .map((lease, index) =>
          !isDown && (now - NOW + index * 150) % everyMs === 0
            ? renew(lease, lease.registration, now)
            : lease,
        );
    }
    expect(everDoubted.size).toBe(20);
    expect(held.filter((lease) => lease.isDoubted)).toEqual([]);
  });
});

/** Consistent hashing: rings and Maglev's tables, behind `balance.pick`. */
import { describe, expect, test } from "vitest";
import * as balance from "../../shared/engine/balance.ts";
import type { Endpoint } from "../../shared/engine/endpoint.ts";
import { hash32 } from "../../shared/engine/hash.ts";
import { endpoint } from "./endpoints.ts";
import { oneOf, seeded } from "./random.ts";

const RING = {
  kind: "ring",
  key: [{ kind: "header", name: "x-user" }],
  minSize: 4096,
  maxSize: 65_536,
} as const satisfies balance.LoadBalancing;
const MAGLEV = {
  kind: "maglev",
  key: [{ kind: "header", name: "x-user" }],
  tableSize: 65_537,
} as const satisfies balance.LoadBalancing;

const KEYS = Array.from({ length: 10_000 }, (_key, index) => hash32(`user-${index}`));

const weighted = (...weights: number[]): Endpoint[] =>
  weights.map((weight, index) => endpoint(`e${index}`, { weight }));

const equal = (count: number): Endpoint[] => weighted(...Array.from({ length: count }, () => 1));

interface Asking {
  readonly policy: balance.LoadBalancing;
  readonly endpoints: readonly Endpoint[];
  readonly all?: readonly Endpoint[];
  readonly load?: balance.Load;
}

/** The endpoints of keys, each asked on its own. */
function owners({
  policy,
  endpoints,
  all = endpoints,
  load = balance.createLoad(() => 0),
}: Asking): string[] {
  const random = seeded(1);
  return KEYS.map((hash) => balance.pick(endpoints, policy, load, { random, now: 0, hash, all })?.id ?? "");
}

function shareOf(id: string, picked: readonly string[]): number {
  return picked.filter((one) => one === id).length / picked.length;
}

/** The share of keys with different owners. */
function moved(before: readonly string[], after: readonly string[]): number {
  return before.filter((id, index) => id !== after[index]).length / before.length;
}

describe.each([RING, MAGLEV])("$kind", (policy) => {
  test("has an endpoint for every key, the same on every host and in any order of endpoints", () => {
    const endpoints = weighted(3, 1, 2, 1, 5);
    const here = owners({ policy, endpoints });
    expect(here.every((id) => endpoints.some((one) => one.id === id))).toBe(true);
    expect(owners({ policy, endpoints: endpoints.toReversed() })).toEqual(here);
  });

  test.each([[[1, 1, 1, 1, 1]], [[1, 2, 3, 4]], [[10, 1]]])("shares keys by weights %o", (weights) => {
    const endpoints = weighted(...weights);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const picked = owners({ policy, endpoints });
    for (const { id, weight } of endpoints) {
      expect(Math.abs(shareOf(id, picked) - weight / total)).toBeLessThan(0.03);
    }
  });

  test("an endpoint that cannot be used for a while moves its own keys only, to all of the others", () => {
    const all = equal(10);
    const before = owners({ policy, endpoints: all });
    const after = owners({ policy, endpoints: all.toSpliced(4, 1), all });
    for (const [index, id] of before.entries()) {
      expect(after[index] === id).toBe(id !== "e4");
    }
    const others = after.filter((_id, index) => before[index] === "e4");
    for (const { id } of all.toSpliced(4, 1)) expect(shareOf(id, others)).toBeLessThan(0.3);
    expect(owners({ policy, endpoints: all })).toEqual(before);
  });

  test("one that is left takes all, and none takes none", () => {
    const all = equal(20);
    expect(new Set(owners({ policy, endpoints: all.slice(7, 8), all }))).toEqual(new Set(["e7"]));
    expect(new Set(owners({ policy, endpoints: [], all }))).toEqual(new Set([""]));
  });

  test("two far apart are found among many that may not be used", () => {
    const all = equal(50);
    const endpoints = all.filter(({ id }) => id === "e3" || id === "e40");
    expect(new Set(owners({ policy, endpoints, all }))).toEqual(new Set(["e3", "e40"]));
  });

  test("a request without a key goes to any, by weight", () => {
    const random = seeded(2);
    const endpoints = weighted(1, 3);
    const load = balance.createLoad(random);
    const choice = { random, now: 0, hash: null };
    const picked = KEYS.map(() => balance.pick(endpoints, policy, load, choice)?.id ?? "");
    expect(Math.abs(shareOf("e1", picked) - 0.75)).toBeLessThan(0.03);
  });

  test("keeps its tables while ids and weights stay, and not for ever", () => {
    const load = balance.createLoad(() => 0);
    const ask = (endpoints: readonly Endpoint[]): string[] => owners({ policy, endpoints, load });
    const first = ask(equal(3));
    const [table] = load.tables.values();
    expect(ask(equal(3))).toEqual(first);
    expect([...load.tables.values()]).toEqual([table]);
    expect([...load.tables.values()][0]).toBe(table);
    for (let count = 4; count < 30; count++) ask(equal(count));
    expect(load.tables.size).toBe(8);
    expect(ask(equal(3))).toEqual(first);
  });

  test("a change of weights makes another table", () => {
    const load = balance.createLoad(() => 0);
    owners({ policy, endpoints: weighted(1, 1), load });
    expect(shareOf("e1", owners({ policy, endpoints: weighted(1, 9), load }))).toBeGreaterThan(0.8);
  });
});

test.each([5, 10, 50])("a ring of %d moves about one n-th of keys for one that goes for good", (count) => {
  const all = equal(count);
  const before = owners({ policy: RING, endpoints: all });
  const after = owners({ policy: RING, endpoints: all.slice(1) });
  // Those of the one that is gone, and no others.
  expect(moved(before, after)).toBe(shareOf("e0", before));
  expect(moved(before, after)).toBeLessThan(1.5 / count);
});

test.each([5, 10, 50])("Maglev of %d moves at most 2 %% more keys than those of one that goes", (count) => {
  const all = equal(count);
  const before = owners({ policy: MAGLEV, endpoints: all });
  const after = owners({ policy: MAGLEV, endpoints: all.slice(1) });
  expect(moved(before, after) - shareOf("e0", before)).toBeLessThan(0.02);
});

test.each([2, 10, 100])("Maglev of %d fills its table evenly", (count) => {
  const load = balance.createLoad(() => 0);
  owners({ policy: MAGLEV, endpoints: equal(count), load });
  const [table] = load.tables.values();
  const counts = new Map<number, number>();
  for (const owner of table?.owners ?? []) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  expect(counts.size).toBe(count);
  expect(Math.max(...counts.values()) - Math.min(...counts.values())).toBeLessThanOrEqual(1);
});

test("a key at the place of a point belongs to that point's endpoint", () => {
  const endpoints = equal(5);
  const load = balance.createLoad(() => 0);
  for (const { id } of endpoints) {
    for (let at = 0; at < 100; at++) {
      const choice = { random: () => 0, now: 0, hash: hash32(`${id}_${at}`) };
      expect(balance.pick(endpoints, RING, load, choice)?.id).toBe(id);
    }
  }
});

/** The endpoint whose point is the next at or after the key on a ring of these alone: slow and obvious. */
function nextOnRing(endpoints: readonly Endpoint[], points: number, hash: number): string | undefined {
  const ring = endpoints.flatMap(({ id, weight }) =>
    Array.from({ length: points * weight }, (_point, at) => ({ id, place: hash32(`${id}_${at}`) })),
  );
  const inOrder = ring.sort((a, b) => a.place - b.place);
  return (inOrder.find(({ place }) => place >= hash) ?? inOrder[0])?.id;
}

test("a ring with endpoints that may not be used is the ring of the others", () => {
  const random = seeded(4);
  const policy = { ...RING, minSize: 1 };
  for (let round = 0; round < 300; round++) {
    // The lightest has one point, as `minSize` asks for no more.
    const all = weighted(
      1,
      ...Array.from({ length: Math.floor(random() * 8) }, () => 1 + Math.floor(random() * 9)),
    );
    const candidates = all.filter(() => random() < 0.7);
    const load = balance.createLoad(random);
    for (let key = 0; key < 20; key++) {
      const hash = Math.floor(random() * 2 ** 32);
      const picked = balance.pick(candidates, policy, load, { random, now: 0, hash, all });
      expect(picked?.id).toBe(nextOnRing(candidates, 1, hash));
    }
  }
});

test("the same endpoints under another policy are looked up in another table", () => {
  const endpoints = equal(5);
  const load = balance.createLoad(() => 0);
  const fresh = owners({ policy: MAGLEV, endpoints });
  owners({ policy: RING, endpoints, load });
  expect(owners({ policy: MAGLEV, endpoints, load })).toEqual(fresh);
});

function pointsOf(weights: readonly number[], minSize: number, maxSize: number): number[] {
  const load = balance.createLoad(() => 0);
  owners({ policy: { ...RING, minSize, maxSize }, endpoints: weighted(...weights), load });
  const [table] = load.tables.values();
  const counts = weights.map(() => 0);
  for (const owner of table?.owners ?? []) counts[owner] = (counts[owner] ?? 0) + 1;
  return counts;
}

test.each([
  [[1, 1], 1024, 65_536, [512, 512]],
  [[1, 1, 1], 1024, 65_536, [512, 512, 512]],
  [[1, 3], 4, 65_536, [1, 3]],
  [[2, 6, 3], 100, 65_536, [32, 96, 48]],
  [[1, 1000], 100, 100, [1, 99]],
  [[1, 1, 1], 1, 2, [1, 1, 1]],
])("a ring of weights %o has from %d to %d points: %o", (weights, minSize, maxSize, expected) => {
  expect(pointsOf(weights, minSize, maxSize)).toEqual(expected);
});

describe.each([RING, MAGLEV])("bounded loads, $kind", (hashing) => {
  test.each([1.01, 1.25, 2])(
    "no endpoint has more than %d times the average of its weight in flight",
    (boundFactor) => {
      const policy = { ...hashing, boundFactor };
      const random = seeded(3);
      for (let round = 0; round < 20; round++) {
        const endpoints = weighted(
          ...Array.from({ length: 2 + Math.floor(random() * 8) }, () => 1 + Math.floor(random() * 3)),
        );
        const total = endpoints.reduce((sum, { weight }) => sum + weight, 0);
        const load = balance.createLoad(random);
        // Half of the calls have the same key.
        for (let calls = 1; calls <= 300; calls++) {
          const hash = random() < 0.5 ? 7 : oneOf(random, KEYS);
          const picked = balance.pick(endpoints, policy, load, { random, now: 0, hash });
          if (picked === null) throw new Error("nobody has room");
          balance.begin(load, picked.id);
          const bound = Math.ceil((boundFactor * calls * picked.weight) / total);
          expect(load.inFlight.get(picked.id)).toBeLessThanOrEqual(bound);
        }
      }
    },
  );

  test("a key stays where it is while there is room", () => {
    const endpoints = equal(10);
    const free = owners({ policy: hashing, endpoints });
    expect(owners({ policy: { ...hashing, boundFactor: 1.25 }, endpoints })).toEqual(free);
  });

  test("without a bound a hot key goes to one endpoint", () => {
    const endpoints = equal(5);
    const load = balance.createLoad(() => 0);
    for (let call = 0; call < 100; call++) {
      const picked = balance.pick(endpoints, hashing, load, { random: () => 0, now: 0, hash: 7 });
      balance.begin(load, picked?.id ?? "");
    }
    expect([...load.inFlight.values()]).toEqual([100]);
  });
});

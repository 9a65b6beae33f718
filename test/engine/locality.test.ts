import { expect, test } from "vitest";
import { usable, type Endpoint } from "../../shared/engine/endpoint.ts";
import {
  climb,
  createReturns,
  DEFAULT_LOCALITY,
  drawAt,
  formatLocality,
  groupsOf,
  healthOf,
  loadsOf,
  matches,
  parseLocality,
  retainGroups,
  type Groups,
  type LocalityPolicy,
  type Ramp,
} from "../../shared/engine/locality.ts";
import { endpoint } from "./endpoints.ts";
import { oneOf, seeded } from "./random.ts";

/** Endpoints by place; `-` is one that tells none. */
function at(...places: readonly string[]): Endpoint[] {
  return places.map((place, index) =>
    endpoint(`${place}#${index}`, place === "-" ? {} : { locality: parseLocality(place) }),
  );
}

/** The groups as text: key and ids. */
function told(groups: Groups | null): readonly string[] | null {
  return (
    groups?.list.map(({ key, endpoints }) => `${key}: ${endpoints.map(({ id }) => id).join(" ")}`) ?? null
  );
}

const HERE = { region: "eu", zone: "eu-a" };
const MIXED = at("us/us-a", "eu/eu-a", "-", "eu/eu-b", "EU/EU-A", "ap", "eu");

test.each<[string, Partial<LocalityPolicy>, readonly string[] | null]>([
  ["by default", {}, ["zone: eu/eu-a#1 EU/EU-A#4", "region: eu/eu-b#3 eu#6", "others: us/us-a#0 -#2 ap#5"]],
  [
    "with failover",
    {
      failover: [
        { from: "us", to: "eu" },
        { from: "EU", to: "AP" },
      ],
    },
    ["zone: eu/eu-a#1 EU/EU-A#4", "region: eu/eu-b#3 eu#6", "failover AP: ap#5", "others: us/us-a#0 -#2"],
  ],
  [
    "with shares, the narrowest first",
    {
      distribute: [
        { from: "eu/*", to: [] },
        { from: "eu", to: shares({ "*": 10, eu: 30, "eu/eu-b": 60 }) },
      ],
    },
    ["share *: us/us-a#0 -#2 ap#5", "share eu: eu/eu-a#1 EU/EU-A#4 eu#6", "share eu/eu-b: eu/eu-b#3"],
  ],
  [
    "with shares that leave some out",
    { distribute: [{ from: "*", to: shares({ us: 100 }) }] },
    ["share us: us/us-a#0"],
  ],
  [
    "with shares of another place",
    { distribute: [{ from: "us", to: shares({ us: 100 }) }], failover: [] },
    ["zone: eu/eu-a#1 EU/EU-A#4", "region: eu/eu-b#3 eu#6", "others: us/us-a#0 -#2 ap#5"],
  ],
  ["with shares that no endpoint has", { distribute: [{ from: "*", to: shares({ sa: 100 }) }] }, null],
  ["switched off", { mode: "none" }, null],
])("endpoints are grouped %s", (_name, changes, expected) => {
  expect(told(groupsOf(MIXED, { ...DEFAULT_LOCALITY, ...changes }, HERE))).toEqual(expected);
});

function shares(of: Readonly<Record<string, number>>) {
  return Object.entries(of).map(([locality, weight]) => ({ locality, weight }));
}

test.each<[string, readonly Endpoint[], typeof HERE | null]>([
  ["a host that does not know its place", MIXED, null],
  ["endpoints in one zone", at("eu/eu-a", "EU/eu-a"), HERE],
  ["endpoints all elsewhere", at("us", "ap", "-"), HERE],
  ["no endpoints", [], HERE],
])("nothing is grouped for %s", (_name, endpoints, here) => {
  expect(groupsOf(endpoints, DEFAULT_LOCALITY, here)).toBe(null);
});

test("a host that knows its region alone has no zone of its own", () => {
  expect(told(groupsOf(at("eu/eu-a", "us"), DEFAULT_LOCALITY, { region: "eu", zone: "" }))).toEqual([
    "region: eu/eu-a#0",
    "others: us#1",
  ]);
});

test.each([
  ["*", "eu", true],
  ["eu", "EU/eu-a", true],
  ["eu/eu-a", "eu/EU-A", true],
  ["eu/eu-a", "eu", false],
  ["eu", "eu-west", false],
])("%s means %s: %s", (pattern, place, expected) => {
  expect(matches(pattern, parseLocality(place))).toBe(expected);
});

test.each(["eu", "eu/eu-a"])("%s is read and written", (text) => {
  expect(formatLocality(parseLocality(text))).toBe(text);
});

test.each([
  [10, 10, 0, 1],
  // Overflow begins below 71 %: 8 of 11 are 72.7 %, 5 of 7 are 71.4 %, 7 of 10 are 70 %.
  [11, 8, 0, 1],
  [7, 5, 0, 1],
  [10, 7, 0, 0.98],
  [10, 0, 0, 0],
  // Those that are draining are not missed.
  [10, 5, 5, 1],
  [4, 0, 4, 0],
  [0, 0, 0, 0],
])("of %d endpoints %d are usable and %d draining: health %d", (total, up, draining, expected) => {
  const endpoints = Array.from({ length: total }, (_, index) =>
    endpoint(`${index}`, index < draining ? { health: "draining" } : {}),
  );
  expect(healthOf(endpoints, endpoints.slice(total - up), 1.4)).toBeCloseTo(expected, 10);
});

const order = (count: number): Groups => ({
  kind: "order",
  list: Array.from({ length: count }, (_, index) => ({ key: `${index}`, endpoints: [], weight: 1 })),
});

const weighted = (...weights: readonly number[]): Groups => ({
  kind: "shares",
  list: weights.map((weight, index) => ({ key: `${index}`, endpoints: [], weight })),
});

test.each<[Groups, readonly number[], readonly number[]]>([
  [order(3), [1, 1, 1], [1, 0, 0]],
  [order(3), [0.7, 1, 1], [0.7, 0.3, 0]],
  [order(3), [0, 0.25, 1], [0, 0.25, 0.75]],
  // Too little together: each gets its part (Envoy's table: 20 % and 20 % are half each).
  [order(2), [0.28, 0.28], [0.5, 0.5]],
  [order(2), [0.25, 0], [1, 0]],
  [order(2), [0, 0], [0, 0]],
  [weighted(80, 20), [1, 1], [0.8, 0.2]],
  [weighted(50, 50), [0.5, 1], [1 / 3, 2 / 3]],
  [weighted(50, 50), [0, 0.1], [0, 1]],
  [weighted(50, 50), [0, 0], [0, 0]],
])("loads of %o at health %o are %o", (groups, healths, expected) => {
  loadsOf(groups, healths).forEach((load, index) => expect(load).toBeCloseTo(expected[index] ?? NaN, 10));
});

test("loads sum to 1, and go to nobody who can carry nothing", () => {
  const random = seeded(3);
  for (let round = 0; round < 2_000; round++) {
    const healths = Array.from({ length: 1 + Math.floor(random() * 5) }, () =>
      oneOf(random, [0, 0, 0.3, random(), 1]),
    );
    const groups = oneOf(random, [
      order(healths.length),
      weighted(...healths.map(() => 1 + Math.floor(random() * 99))),
    ]);
    const loads = loadsOf(groups, healths);
    const sum = loads.reduce((total, load) => total + load, 0);
    expect(sum).toBeCloseTo(healths.some((health) => health > 0) ? 1 : 0, 9);
    expect(loads.filter((load, index) => load > 0 && healths[index] === 0)).toEqual([]);
    expect(loads[drawAt(loads, random())] ?? 0).toBeGreaterThanOrEqual(sum > 0 ? Number.MIN_VALUE : 0);
  }
});

test.each([
  [0, 0],
  [0.19, 0],
  [0.2, 2],
  [0.99999, 2],
  // Only rounding, or a `random` of 1, leads there.
  [1, 2],
])("a point of %d draws %d of 20 %%, nothing and 80 %%", (point, expected) => {
  expect(drawAt([0.2, 0, 0.8], point)).toBe(expected);
});

test("no call goes to an endpoint that cannot be used while some group can carry the calls", () => {
  const random = seeded(5);
  const places = ["eu/eu-a", "eu/eu-b", "us", "-"];
  for (let round = 0; round < 1_000; round++) {
    const endpoints = at(
      ...Array.from({ length: 2 + Math.floor(random() * 9) }, () => oneOf(random, places)),
    ).map((each): Endpoint => ({
      ...each,
      health: oneOf(random, ["healthy", "healthy", "unhealthy", "draining"]),
    }));
    const groups = groupsOf(endpoints, DEFAULT_LOCALITY, HERE);
    if (groups === null) continue;
    const sound = groups.list.map((group) =>
      usable(group.endpoints, { circuitOf: () => undefined, rejects: true }, 0, 0),
    );
    const healths = groups.list.map((group, index) => healthOf(group.endpoints, sound[index] ?? [], 1.4));
    const loads = loadsOf(groups, healths);
    const isAnyUsable = endpoints.some(({ health }) => health === "healthy");
    const drawn = sound[drawAt(loads, random())] ?? [];
    expect(drawn.length > 0).toBe(isAnyUsable);
    // The nearest gets everything for as long as it can carry that.
    expect(loads[0]).toBe(Math.min(1, (healths[0] ?? 0) / Math.min(1, sumOf(healths) || 1)));
  }
});

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

const ramp = (level: number, risesSince: number | null = null): Ramp => ({ level, risesSince });

interface Climb {
  readonly from: Ramp;
  readonly health: number;
  readonly now: number;
  readonly returnMs?: number;
  readonly level: number;
  readonly to: Ramp;
}

test.each<[string, Climb]>([
  ["well", { from: ramp(1), health: 1, now: 0, level: 1, to: ramp(1) }],
  ["falls at once", { from: ramp(1), health: 0.4, now: 0, level: 0.4, to: ramp(0.4) }],
  ["begins where it was", { from: ramp(0.4), health: 1, now: 500, level: 0.4, to: ramp(0.4, 500) }],
  ["is half-way", { from: ramp(0, 1_000), health: 1, now: 6_000, level: 0.5, to: ramp(0, 1_000) }],
  ["is there", { from: ramp(0, 1_000), health: 1, now: 11_000, level: 1, to: ramp(1) }],
  ["is where it can get", { from: ramp(0, 1_000), health: 0.5, now: 7_000, level: 0.5, to: ramp(0.5) }],
  ["fails on its way", { from: ramp(0, 1_000), health: 0.1, now: 6_000, level: 0.1, to: ramp(0.1) }],
  ["an hour idle", { from: ramp(0, 1_000), health: 1, now: 3_601_000, level: 1, to: ramp(1) }],
  [
    "a clock that steps back",
    { from: ramp(0.2, 5_000), health: 1, now: 1_000, level: 0.2, to: ramp(0.2, 5_000) },
  ],
  ["at once, if so asked", { from: ramp(0), health: 1, now: 0, returnMs: 0, level: 1, to: ramp(1) }],
])("a ramp: %s", (_name, { from, health, now, returnMs = 10_000, level, to }) => {
  expect(climb(from, health, returnMs, now)).toBeCloseTo(level, 10);
  expect(from).toEqual(to);
});

test("the first groups are counted on in full, one that comes later or again begins from nothing", () => {
  const returns = createReturns();
  const levels = (): Record<string, number> =>
    Object.fromEntries([...returns.groups].map(([key, { level }]) => [key, level]));

  retainGroups(returns, ["zone", "others"]);
  expect(levels()).toEqual({ zone: 1, others: 1 });
  retainGroups(returns, ["others"]);
  expect(levels()).toEqual({ others: 1 });
  retainGroups(returns, ["zone", "region", "others"]);
  expect(levels()).toEqual({ zone: 0, region: 0, others: 1 });
});

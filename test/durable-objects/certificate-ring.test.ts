import { expect, test } from "vitest";
import {
  intermediateRenewsAt,
  rootLeavesAt,
  rootRenewsAt,
  rootTakesOverAt,
  type RingIntermediate,
  type RingRoot,
} from "../../durable-objects/certificate-ring.ts";

const TEN_MINUTES = 600_000;
const SKEW = 30_000;

const current: RingRoot = {
  id: "c",
  state: "current",
  source: "own",
  publishedAt: 5,
  notBefore: 0,
  notAfter: 3_000_000,
  retiredAt: null,
  neededUntil: 900,
};
const next: RingRoot = { ...current, id: "n", state: "next", publishedAt: 7000 };
const previous: RingRoot = { ...current, id: "p", state: "previous", retiredAt: 8000, neededUntil: 9000 };
const own: RingIntermediate = { id: "i", rootId: "c", source: "own", notBefore: 0, notAfter: 300 };

test.each([
  ["ten minutes after it was published", [current, next], 7000 + TEN_MINUTES],
  ["never while it is not published", [current, { ...next, publishedAt: null }], null],
  ["never where there is none", [current, previous], null],
])("a next root takes over %s", (_name, roots, expected) => {
  expect(rootTakesOverAt({ roots, intermediate: own })).toBe(expected);
});

test.each([
  ["at two thirds of the current one's life", [current], 2_000_000],
  ["not while there is one", [current, next], null],
  ["not for one that was loaded", [{ ...current, source: "upstream" as const }], null],
])("a next root is made %s", (_name, roots, expected) => {
  expect(rootRenewsAt({ roots, intermediate: own })).toBe(expected);
});

test("an intermediate is replaced at two thirds of its life, unless it was loaded", () => {
  const dues = [own, { ...own, source: "upstream" as const }].map((intermediate) =>
    intermediateRenewsAt({ roots: [current], intermediate }),
  );
  expect(dues).toEqual([200, null]);
});

test.each([
  ["when its last leaf has expired by every clock", previous, 9000 + SKEW],
  ["when it retired, where nothing below it lives longer", { ...previous, neededUntil: 500 }, 8000 + SKEW],
  ["when it retired, where nothing was below it", { ...previous, neededUntil: null }, 8000 + SKEW],
  ["never while it is current", current, null],
  ["never while it is next", next, null],
])("a root leaves the bundle %s", (_name, root, expected) => {
  expect(rootLeavesAt(root)).toBe(expected);
});

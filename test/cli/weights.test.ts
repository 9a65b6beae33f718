import { expect, test } from "vitest";
import { parsePercent, spread } from "../../cli/weights.ts";
import { seeded } from "../engine/random.ts";

test.each<[string, number | null]>([
  ["0", 0],
  ["20", 20],
  ["100", 100],
  ["12.5%", 12.5],
  ["0.0001", 0.0001],
  ["0.00001", null],
  ["100.1", null],
  ["-1", null],
  ["", null],
  ["twenty", null],
])("%j is %s percent", (text, percent) => {
  expect(parsePercent(text)).toBe(percent);
});

test.each<[string, number[], number, number, number[] | null]>([
  ["the first step of two", [100, 0], 1, 5, [95, 5]],
  ["a later step", [95, 5], 1, 20, [80, 20]],
  ["all of it", [80, 20], 1, 100, [0, 100]],
  ["none of it", [80, 20], 1, 0, [100, 0]],
  ["others in proportion", [50, 30, 20], 2, 60, [25, 15, 60]],
  ["thirds, which hundredths cannot tell", [1, 1, 1, 0], 3, 20, [4, 4, 4, 3]],
  ["half a percent", [1, 0], 1, 0.5, [199, 1]],
  ["the smallest share that there is", [1, 0], 1, 0.0001, [999_999, 1]],
  ["more than weights can tell: nobody loses all", [999_999, 1, 0], 2, 33.3333, [666_666, 1, 333_333]],
  ["nobody to take the rest", [0, 100], 1, 20, null],
  ["nobody to take nothing", [100], 0, 100, [100]],
])("%s: %j, %d at %d%% is %j", (_what, proportions, ...[index, percent, expected]) => {
  expect(spread(proportions, Number(index), Number(percent))).toEqual(expected);
});

test("shares are exact, and others keep their proportions", () => {
  const random = seeded(11);
  for (let run = 0; run < 2_000; run++) {
    const before = Array.from({ length: 2 + Math.floor(random() * 4) }, () => Math.floor(random() * 20));
    const index = Math.floor(random() * before.length);
    const percent = Math.floor(random() * 101);
    const after = spread(before, index, percent);
    const others = before.reduce((sum, weight, at) => (at === index ? sum : sum + weight), 0);
    if (after === null) {
      expect([others, percent === 100]).toEqual([0, false]);
      continue;
    }
    const total = after.reduce((sum, weight) => sum + weight, 0);
    const expected = before.map((weight, at) =>
      at === index ? percent / 100 : ((100 - percent) / 100) * (others === 0 ? 0 : weight / others),
    );
    expect(after.every((weight) => Number.isInteger(weight) && weight <= 1_000_000)).toBe(true);
    after.forEach((weight, at) => expect(weight / total).toBeCloseTo(expected[at] ?? -1, 12));
  }
});

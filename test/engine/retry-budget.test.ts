import { expect, test } from "vitest";
import * as retryBudget from "../../shared/engine/retry-budget.ts";
import { seeded } from "./random.ts";
import { spent } from "./spendings.ts";

const T = Date.UTC(2026, 0, 1);
const BUDGET: retryBudget.RetryBudget = { ratio: 0.2, minPerSecond: 10, windowMs: 10_000 };
const SHARE: retryBudget.RetryBudget = { ...BUDGET, minPerSecond: 0 };

test.each<
  [string, retryBudget.RetryBudget, readonly [firstTries: number, retries: number, afterMs: number], boolean]
>([
  ["half of the reserve when calls begin", BUDGET, [1, 49, 0], true],
  ["no more than that", BUDGET, [1, 50, 0], false],
  ["what accrued in seven seconds", BUDGET, [1, 69, 7_000], true],
  ["no more than that either", BUDGET, [1, 70, 7_000], false],
  ["retries that the window has left behind", BUDGET, [1, 100, 10_000], true],
  ["the share itself", BUDGET, [300, 59, 0], true],
  ["above the share", BUDGET, [300, 60, 0], false],
  ["the share and no reserve", SHARE, [5, 0, 0], true],
  ["one call short of the share", SHARE, [4, 0, 0], false],
  ["calls that the window has left behind", SHARE, [5, 0, 10_000], false],
  ["an hour idle", { ...BUDGET, minPerSecond: 0.1 }, [1, 0, 3_600_000], true],
  ["an hour idle, and nothing to spend", SHARE, [1_000, 0, 3_600_000], false],
  ["a clock that steps back", SHARE, [5, 0, -60_000], true],
  ["a longer window", { ...SHARE, windowMs: 60_000 }, [5, 0, 59_000], true],
  ["nothing at all", { ...SHARE, ratio: 0 }, [1_000, 0, 0], false],
])("%s", (_name, budget, [firstTries, retries, afterMs], expected) => {
  expect(retryBudget.isWithin(budget, spent(firstTries, retries, T), T + afterMs)).toBe(expected);
});

test("counts as a list of all tries would", () => {
  const random = seeded(5);
  const spending = retryBudget.createSpending();
  const tries: { readonly second: number; readonly isRetry: boolean }[] = [];
  let now = T;
  for (let step = 0; step < 20_000; step++) {
    now += Math.floor(random() ** 8 * 20_000);
    const second = Math.floor(now / 1_000);
    const recent = tries.filter((each) => each.second > second - 10);
    const retries = recent.filter(({ isRetry }) => isRetry).length;
    const allowed = Math.max(0, 0.3 * (recent.length - retries));
    const isWithin = retryBudget.isWithin({ ...SHARE, ratio: 0.3 }, spending, now);
    expect(isWithin).toBe(retries + 1 <= allowed);
    const isRetry = isWithin && random() < 0.8;
    if (isRetry) retryBudget.withdraw(spending, now);
    else retryBudget.deposit(spending, now);
    tries.push({ second, isRetry });
    if (tries.length > 5_000) tries.shift();
  }
});

test.each([
  [400, 1.2],
  [2_000, 1.2],
  [20_000, 1.2],
])("%i calls to a service that always fails are at most %f times as many tries", (calls, atMost) => {
  const spending = retryBudget.createSpending();
  let tries = 0;
  for (let call = 0; call < calls; call++) {
    const now = T + call;
    tries += 1;
    retryBudget.deposit(spending, now);
    for (let retry = 0; retry < 2 && retryBudget.isWithin(BUDGET, spending, now); retry++) {
      retryBudget.withdraw(spending, now);
      tries += 1;
    }
  }
  expect(tries / calls).toBeLessThanOrEqual(atMost);
  expect(tries / calls).toBeGreaterThan(1.1);
});

/**
 * The chaos scenarios, short and with a fixed seed. Their full lengths run by
 * `npm run chaos`.
 *
 * @module
 */
import { expect, test } from "vitest";
import { planOf, type Scenario } from "../chaos/scenario.ts";
import { SCENARIOS } from "../chaos/scenarios.ts";

/** Fewer calls than the targets are meant for: a busy machine must not decide. */
const PER_SECOND = 150;

test.each([
  ["three-endpoints", 5],
  ["killed-endpoints", 7],
  ["registry-refuses", 9],
  ["registry-stalls", 9],
  ["registry-crawls", 9],
  ["retry-storm", 4],
  ["half-open", 8],
])("%s, for %d seconds", { timeout: 60_000 }, async (name, seconds) => {
  const scenario = existing(name);
  const plan = planOf(scenario, { seed: 1, forMs: seconds * 1_000, perSecond: PER_SECOND });

  const { figures, misses } = await scenario.run(plan);

  expect(misses, JSON.stringify(figures)).toEqual([]);
});

function existing(name: string): Scenario {
  const scenario = SCENARIOS[name];
  if (scenario === undefined) throw new Error(`there is no scenario ${name}`);
  return scenario;
}

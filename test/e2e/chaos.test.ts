/**
 * The chaos scenarios, short and with a fixed seed. Their full lengths run by
 * `npm run chaos`.
 *
 * @module
 */
import { expect, test } from "vitest";
import { planOf, type Scenario, type Verdict } from "../chaos/scenario.ts";
import { SCENARIOS } from "../chaos/scenarios.ts";

/** Fewer calls than the targets are meant for: a busy machine must not decide. */
const PER_SECOND = 150;

/** Calls that leave so late tell of a machine that stood still. */
const STALL_MS = 100;
const RUNS = 3;

test.each([
  ["three-endpoints", 5],
  ["killed-endpoints", 7],
  ["registry-refuses", 9],
  ["registry-stalls", 9],
  ["registry-crawls", 12],
  ["retry-storm", 4],
  ["half-open", 8],
  // An identity, and a token for the edge.
  ["revocation", 5],
  ["open-streams", 5],
])("%s, for %d seconds", { timeout: 100_000 }, async (name, seconds) => {
  const { figures, misses } = await runUndisturbed(existing(name), seconds * 1_000);

  expect(misses, JSON.stringify(figures)).toEqual([]);
});

/** Runs it again where the machine stood still: calls that pile up meanwhile are another scenario. */
async function runUndisturbed(scenario: Scenario, forMs: number): Promise<Verdict> {
  const plan = planOf(scenario, { seed: 1, forMs, perSecond: PER_SECOND });
  for (let run = 1; ; run++) {
    const verdict = await scenario.run(plan);
    const isDisturbed = Number(verdict.figures["lateMs"]) > STALL_MS;
    if (verdict.misses.length === 0 || !isDisturbed || run === RUNS) return verdict;
  }
}

function existing(name: string): Scenario {
  const scenario = SCENARIOS[name];
  if (scenario === undefined) throw new Error(`there is no scenario ${name}`);
  return scenario;
}

/**
 * Runs a chaos scenario and prints its figures as one line of JSON.
 *
 *   npm run chaos                                   what there is
 *   npm run chaos -- NAME                           at the size that its targets are meant for
 *   npm run chaos -- all                            one after the other
 *   npm run chaos -- NAME --seconds 10 --rate 100   shorter, with fewer calls a second
 *   npm run chaos -- NAME --seed 7                  again
 *   npm run chaos -- NAME --plan FILE               a plan that a failed run printed
 *
 * Exits with 1 when a target is missed; then the plan is printed, too.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Plan } from "./plan.ts";
import { planOf, type Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

const { values, positionals } = parseArgs({
  options: {
    seconds: { type: "string" },
    rate: { type: "string" },
    seed: { type: "string" },
    plan: { type: "string" },
  },
  allowPositionals: true,
});

// A signal would end this process alone: on its exit it takes the runtimes that it started along.
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));

const [chosen = ""] = positionals;
const scenarios = Object.entries(SCENARIOS).filter(([name]) => chosen === "all" || chosen === name);
if (scenarios.length === 0) list();
for (const [name, scenario] of scenarios) await run(name, scenario, readPlan(scenario));

function list(): void {
  const width = Math.max(...Object.keys(SCENARIOS).map(({ length }) => length));
  for (const [name, { shows, size }] of Object.entries(SCENARIOS))
    console.log(`${name.padEnd(width)}  ${shows} (${size.forMs / 1_000} s)`);
  if (chosen !== "") process.exitCode = 2;
}

function readPlan(scenario: Scenario): Plan {
  if (values.plan !== undefined) return JSON.parse(readFileSync(values.plan, "utf8")) as Plan;
  return planOf(scenario, {
    seed: Number(values.seed ?? Date.now() % 1_000_000),
    ...(values.seconds !== undefined && { forMs: Number(values.seconds) * 1_000 }),
    ...(values.rate !== undefined && { perSecond: Number(values.rate) }),
  });
}

async function run(name: string, scenario: Scenario, plan: Plan): Promise<void> {
  const { seed, perSecond } = plan;
  const seconds = plan.forMs / 1_000;
  console.error(`${name}: ${scenario.shows}; seed ${seed}, ${seconds} s`);
  try {
    const { figures, misses } = await scenario.run(plan);
    console.log(JSON.stringify({ scenario: name, seed, seconds, perSecond, ...figures, misses }));
    if (misses.length === 0) return;
    for (const miss of misses) console.error(`missed: ${miss}`);
  } catch (error) {
    console.error(error);
  }
  process.exitCode = 1;
  console.error(`again: npm run chaos -- ${name} --seed ${seed} --seconds ${seconds} --rate ${perSecond}`);
  console.error(`plan: ${JSON.stringify(plan)}`);
}

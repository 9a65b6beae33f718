/**
 * Runs a chaos scenario and prints its figures as one line of JSON.
 *
 *   npm run chaos                                   what there is
 *   npm run chaos -- NAME                           as long as its targets are meant for
 *   npm run chaos -- NAME --seconds 10 --seed 7     shorter, or again; --rate 100 for fewer calls a second
 *   npm run chaos -- NAME --plan FILE               a plan that a failed run printed
 *
 * Exits with 1 when a target is missed; then the plan is printed, too.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Plan } from "./plan.ts";
import { planOf } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

const { values, positionals } = parseArgs({
  options: {
    seconds: { type: "string" },
    seed: { type: "string" },
    rate: { type: "string" },
    plan: { type: "string" },
  },
  allowPositionals: true,
});

const [name] = positionals;
const scenario = name === undefined ? undefined : SCENARIOS[name];
if (scenario === undefined) {
  const width = Math.max(...Object.keys(SCENARIOS).map(({ length }) => length));
  for (const [each, { shows, size }] of Object.entries(SCENARIOS))
    console.log(`${each.padEnd(width)}  ${shows} (${size.forMs / 1_000} s)`);
  process.exit(name === undefined ? 0 : 2);
}

const seed = Number(values.seed ?? Date.now() % 1_000_000);
const size = {
  seed,
  ...(values.seconds !== undefined && { forMs: Number(values.seconds) * 1_000 }),
  ...(values.rate !== undefined && { perSecond: Number(values.rate) }),
};
const plan =
  values.plan === undefined
    ? planOf(scenario, size)
    : (JSON.parse(readFileSync(values.plan, "utf8")) as Plan);

console.error(`${name}: ${scenario.shows}; seed ${plan.seed}, ${plan.forMs / 1_000} s`);
process.exitCode = 1;
try {
  const { figures, misses } = await scenario.run(plan);
  const head = { scenario: name, seed: plan.seed, seconds: plan.forMs / 1_000, perSecond: plan.perSecond };
  console.log(JSON.stringify({ ...head, ...figures, misses }));
  for (const miss of misses) console.error(`missed: ${miss}`);
  if (misses.length === 0) process.exitCode = 0;
} catch (error) {
  console.error(error);
}
if (process.exitCode !== 0) {
  console.error(
    `again: npm run chaos -- ${name} --seed ${plan.seed} --seconds ${plan.forMs / 1_000} --rate ${plan.perSecond}`,
  );
  console.error(`plan: ${JSON.stringify(plan)}`);
}

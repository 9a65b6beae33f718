/**
 * What the mesh costs: processor time per request and median latency, as
 * ratios to the same hop without a mesh, measured in turns in one run.
 *
 *   npm run bench                      a table
 *   npm run bench -- --json FILE       also the figures, for machines
 *   npm run bench -- --quick           fewer requests: does it run at all
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { engineFigures, type EngineFigures } from "./engine.ts";
import { load, quantile } from "./load.ts";
import { cpuMs } from "./process-cpu.ts";
import { type Bench, type Scenario, startBench } from "./scenarios.ts";

interface Options {
  readonly rounds: number;
  readonly requestsPerRound: number;
  readonly latencyRequests: number;
  readonly services: number;
}

const FULL: Options = { rounds: 7, requestsPerRound: 8000, latencyRequests: 2000, services: 10_000 };
const QUICK: Options = { rounds: 2, requestsPerRound: 1000, latencyRequests: 200, services: 100 };

/** Enough to keep the runtime's one thread busy, not enough to queue. */
const CONNECTIONS = 8;

/** The pairs that are compared, and the goal of each. */
const COMPARED = [
  { name: "edge / bare", of: "edge", to: "bare", goal: 1.15 },
  { name: "library / bare binding", of: "library", to: "bare binding", goal: 1.25 },
  { name: "many services / ten services", of: "many services", to: "ten services", goal: 1.05 },
] as const;

interface Figures {
  readonly cpuUsPerRequest: number;
  readonly p50Ms: number;
}

interface Ratio {
  readonly cpu: number;
  readonly p50: number;
  readonly cpuGoal: number;
}

interface Report {
  readonly scenarios: Readonly<Record<string, Figures>>;
  readonly ratios: Readonly<Record<string, Ratio>>;
  readonly engine: EngineFigures;
}

const { values } = parseArgs({ options: { json: { type: "string" }, quick: { type: "boolean" } } });
const options = values.quick ? QUICK : FULL;

// A signal would end this process alone: on its exit it takes the runtimes that it started along.
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));

const bench = await startBench(options.services);
try {
  const report = await measure(bench, options);
  print(report);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
} finally {
  await bench.stop();
}

/** Runs all scenarios in turns, so that a slow moment of the machine hits all alike. */
async function measure({ scenarios }: Bench, options: Options): Promise<Report> {
  const cpu = new Map<string, number[]>(scenarios.map(({ name }) => [name, []]));
  for (const scenario of scenarios) await load(scenario.target, options.requestsPerRound, CONNECTIONS);
  for (let round = 0; round < options.rounds; round++) {
    console.error(`round ${round + 1} of ${options.rounds}`);
    for (const scenario of scenarios) cpu.get(scenario.name)?.push(await cpuPerRequest(scenario, options));
  }
  const figures: Record<string, Figures> = {};
  for (const scenario of scenarios) {
    const { latenciesMs } = await load(scenario.target, options.latencyRequests, 1);
    figures[scenario.name] = {
      cpuUsPerRequest: median(cpu.get(scenario.name) ?? []),
      p50Ms: quantile(latenciesMs, 0.5),
    };
  }
  return { scenarios: figures, ratios: ratiosOf(cpu, figures), engine: await engineFigures() };
}

async function cpuPerRequest({ pid, target }: Scenario, options: Options): Promise<number> {
  const before = cpuMs(pid);
  const { requests } = await load(target, options.requestsPerRound, CONNECTIONS);
  return ((cpuMs(pid) - before) / requests) * 1000;
}

/** The median over rounds of each round's ratio: both sides of a ratio ran within seconds of each other. */
function ratiosOf(
  cpu: ReadonlyMap<string, readonly number[]>,
  figures: Readonly<Record<string, Figures>>,
): Record<string, Ratio> {
  return Object.fromEntries(
    COMPARED.map(({ name, of, to, goal }) => {
      const base = cpu.get(to) ?? [];
      const perRound = (cpu.get(of) ?? []).map((value, round) => value / (base[round] ?? Number.NaN));
      const p50 = (figures[of]?.p50Ms ?? Number.NaN) / (figures[to]?.p50Ms ?? Number.NaN);
      return [name, { cpu: median(perRound), p50, cpuGoal: goal }];
    }),
  );
}

function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

function print({ scenarios, ratios, engine }: Report): void {
  console.log("\nscenario            CPU µs/request    p50 ms");
  for (const [name, { cpuUsPerRequest, p50Ms }] of Object.entries(scenarios)) {
    console.log(
      `${name.padEnd(20)}${cpuUsPerRequest.toFixed(0).padStart(14)}${p50Ms.toFixed(2).padStart(10)}`,
    );
  }
  console.log("\nratio                             CPU   goal     p50");
  for (const [name, { cpu, p50, cpuGoal }] of Object.entries(ratios)) {
    console.log(
      `${name.padEnd(30)}${cpu.toFixed(2).padStart(7)}${`≤ ${cpuGoal}`.padStart(7)}${p50.toFixed(2).padStart(8)}`,
    );
  }
  console.log("\nengine (Node, one core)            ns");
  for (const [name, ns] of Object.entries(engine))
    console.log(`${name.padEnd(30)}${ns.toFixed(0).padStart(7)}`);
}

/**
 * What a chaos scenario is, and the stage that most of them need.
 *
 * @module
 */
import { type Document, web } from "./documents.ts";
import { type Fleet, startFleet } from "./fleet.ts";
import { openLoop } from "./load.ts";
import type { Plan, Size, Stage, Step } from "./plan.ts";
import { startUpstreams } from "./upstreams.ts";

export interface Scenario {
  /** What it shows, in a line. */
  readonly shows: string;
  /** Its length and load unless asked otherwise: what its targets are meant for. */
  readonly size: Omit<Size, "seed">;
  /** What goes wrong in a run of some size. */
  steps(size: Size): readonly Step[];
  run(plan: Plan): Promise<Verdict>;
}

/** The plan of a run, of the scenario's own size but for what is given. */
export function planOf(scenario: Scenario, size: Pick<Size, "seed"> & Partial<Size>): Plan {
  const all = { ...scenario.size, ...size };
  return { ...all, steps: scenario.steps(all) };
}

export type Figures = Readonly<Record<string, unknown>>;

export interface Verdict {
  readonly figures: Figures;
  /** A line for each target that was missed. */
  readonly misses: readonly string[];
}

/** What a figure must be. */
export interface Target {
  readonly figure: string;
  readonly value: number;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** Compares figures with their targets. What is not a number misses its target. */
export function judge(figures: Figures, targets: readonly Target[]): Verdict {
  const misses = targets.flatMap(({ figure, value, atLeast = -Infinity, atMost = Infinity }) => {
    if (value >= atLeast && value <= atMost) return [];
    const target = atLeast === -Infinity ? `at most ${atMost}` : `at least ${atLeast}`;
    return [`${figure}: ${value}, where ${target} is wanted`];
  });
  return { figures, misses };
}

export interface StageOptions {
  readonly upstreams: readonly string[];
  readonly isolates: number;
  /** Whether the isolates have a binding to a joined Worker: see the fleet's options. */
  readonly hasCaller?: boolean;
  /** The TrafficPolicy of `web`. */
  readonly traffic?: Document;
  /** Applied besides. */
  readonly documents?: readonly Document[];
}

/** Runs `act` on a mesh whose isolates have all carried a call, and takes everything down again. */
export async function onStage<Result>(
  plan: Plan,
  options: StageOptions,
  act: (stage: Stage) => Promise<Result>,
): Promise<Result> {
  const upstreams = await startUpstreams(options.upstreams, plan.seed);
  let fleet: Fleet | null = null;
  try {
    fleet = await startFleet({ isolates: options.isolates, hasCaller: options.hasCaller ?? false });
    await fleet.apply([...web(upstreams, options.traffic), ...(options.documents ?? [])]);
    // Twice each: the first loads the configuration.
    await openLoop({ targets: fleet.isolates, perSecond: 20, forMs: 100 * options.isolates });
    for (const name of upstreams.names) await upstreams.arrivals(name);
    await fleet.objects.calls();
    return await act({ fleet, upstreams });
  } finally {
    await fleet?.stop();
    upstreams.stop();
  }
}

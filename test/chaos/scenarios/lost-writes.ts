/**
 * Applies under `kill -9`: whatever the mesh acknowledged is there after it.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resourceList } from "../../../shared/wire/admin.ts";
import { seeded } from "../../engine/random.ts";
import { service } from "../documents.ts";
import { type Fleet, startFleet } from "../fleet.ts";
import { play, type Plan, type Size, type Step } from "../plan.ts";
import { judge, type Scenario, type Verdict } from "../scenario.ts";
import { startUpstreams } from "../upstreams.ts";

const WRITERS = 4;
/** Documents in one apply, each a row that the registry writes. */
const BATCH = 100;

const FULL_MS = 120_000;
const FULL_WRITES = 50_000;

/** Each kill begins a round with a fresh process. */
const MIN_ROUND_MS = 2_000;
const MAX_ROUND_MS = 8_000;

/** Writes are rows; a batch that was not acknowledged may be there, but never in part. */
export const lostWrites: Scenario = {
  shows: "4 writers apply 100 services at a time while the mesh is killed again and again: none is lost",
  size: { forMs: FULL_MS, perSecond: 0 },
  steps: killsOf,
  run,
};

function killsOf({ seed, forMs }: Size): readonly Step[] {
  const random = seeded(seed);
  const steps: Step[] = [];
  for (let atMs = 0; atMs < forMs;) {
    atMs += MIN_ROUND_MS + random() * (MAX_ROUND_MS - MIN_ROUND_MS);
    steps.push({ atMs: Math.round(Math.min(atMs, forMs)), act: { kind: "kill" } });
  }
  return steps;
}

/** What one round wrote: names of batches, the acknowledged and all that were tried. */
interface Round {
  readonly namespace: string;
  readonly acknowledged: Set<string>;
  readonly tried: Set<string>;
}

async function run(plan: Plan): Promise<Verdict> {
  const stateDir = mkdtempSync(join(tmpdir(), "selvedge-chaos-"));
  const rounds: Round[] = [];
  try {
    let begunAt = 0;
    for (const { atMs } of plan.steps) {
      rounds.push(await writeUntilKilled(stateDir, `round-${rounds.length}`, atMs - begunAt));
      begunAt = atMs;
    }
    return await verify(stateDir, rounds, plan.forMs);
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
}

async function writeUntilKilled(stateDir: string, namespace: string, forMs: number): Promise<Round> {
  const upstreams = await startUpstreams([], 0);
  const fleet = await startFleet({ isolates: 0, stateDir });
  const round: Round = { namespace, acknowledged: new Set(), tried: new Set() };
  const plan: Plan = { seed: 0, forMs, perSecond: 0, steps: [{ atMs: forMs, act: { kind: "kill" } }] };
  await Promise.all([
    play(plan, { fleet, upstreams }),
    ...Array.from({ length: WRITERS }, (_, writer) => write(fleet, round, writer)),
  ]);
  await fleet.runtime.exited;
  upstreams.stop();
  return round;
}

/** Applies batch after batch until the mesh is gone. */
async function write(fleet: Fleet, { namespace, acknowledged, tried }: Round, writer: number): Promise<void> {
  for (let n = 0; ; n++) {
    const batch = `writer-${writer}-${n}`;
    tried.add(batch);
    try {
      await fleet.apply(Array.from({ length: BATCH }, (_, i) => service(`${batch}-${i}`, namespace)));
    } catch (error) {
      if (await isGone(fleet)) return;
      throw error;
    }
    acknowledged.add(batch);
  }
}

/** A request may fail a moment before the process is known to have ended. */
function isGone(fleet: Fleet): Promise<boolean> {
  const patience = new Promise<boolean>((resolve) => setTimeout(resolve, 1_000, false).unref());
  return Promise.race([fleet.runtime.exited.then(() => true), patience]);
}

async function verify(stateDir: string, rounds: readonly Round[], forMs: number): Promise<Verdict> {
  const fleet = await startFleet({ isolates: 0, stateDir });
  let lost = 0;
  let torn = 0;
  let acknowledged = 0;
  for (const round of rounds) {
    const kept = await keptOf(fleet, round.namespace);
    acknowledged += round.acknowledged.size;
    for (const batch of round.acknowledged) lost += BATCH - (kept.get(batch) ?? 0);
    torn += [...round.tried].filter((batch) => ![0, BATCH].includes(kept.get(batch) ?? 0)).length;
  }
  await fleet.stop();
  const writes = acknowledged * BATCH;
  return judge({ kills: rounds.length, applies: acknowledged, writes, lost, torn }, [
    { figure: "lost", value: lost, atMost: 0 },
    { figure: "torn", value: torn, atMost: 0 },
    { figure: "writes", value: writes, atLeast: (FULL_WRITES * forMs) / FULL_MS },
  ]);
}

/** How many documents of each batch there are. */
async function keptOf(fleet: Fleet, namespace: string): Promise<ReadonlyMap<string, number>> {
  const { items } = await fleet.client.call({
    path: "/resources",
    query: { kind: "Service", namespace },
    answer: resourceList,
  });
  const kept = new Map<string, number>();
  for (const { metadata } of items) {
    const batch = metadata.name.slice(0, metadata.name.lastIndexOf("-"));
    kept.set(batch, (kept.get(batch) ?? 0) + 1);
  }
  return kept;
}

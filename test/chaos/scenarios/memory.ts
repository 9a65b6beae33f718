/**
 * Whether the runtime's memory grows with the number of calls.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { load } from "../../../bench/load.ts";
import { type Point, round, slope } from "../figures.ts";
import type { Plan } from "../plan.ts";
import { judge, onStage, type Scenario, type Verdict } from "../scenario.ts";

const CONNECTIONS = 8;
const CHUNK = 10_000;

/** Caches fill and the runtime takes what it keeps: some 200,000 calls. */
const WARM_UP_RATIO = 0.4;

/** Garbage comes and goes between two collections: of so many points the lowest counts. */
const COLLECTED = 5;

/** Points of the curve that are told. */
const SHOWN = 20;

const FULL_MS = 300_000;
const FULL_REQUESTS = 500_000;

/** A straight line through the resident memory of the runtime after the warm-up. */
export const memory: Scenario = {
  shows: "the runtime's memory over at least 500,000 calls, as fast as they go: at most 1 MiB per 100,000",
  size: { forMs: FULL_MS, perSecond: 0 },
  steps: () => [],
  run,
};

function run(plan: Plan): Promise<Verdict> {
  return onStage(plan, { upstreams: ["a", "b", "c"], isolates: 1 }, async ({ fleet, upstreams }) => {
    const [isolate] = fleet.isolates;
    if (isolate === undefined) throw new Error("a fleet without isolates carries no calls");
    const begin = Date.now();
    const points: Point[] = [];
    for (let sent = 0; Date.now() - begin < plan.forMs;) {
      const offset = sent;
      const request = (n: number) => ({ path: `/items/${offset + n}`, headers: isolate.headers });
      await load({ port: isolate.port, request }, CHUNK, CONNECTIONS);
      sent += CHUNK;
      // What the harness itself remembers of calls is no growth of the mesh.
      await fleet.objects.calls();
      for (const name of upstreams.names) await upstreams.arrivals(name);
      points.push({ x: sent, y: residentMiB(fleet.runtime.pid) });
    }
    const requests = points.at(-1)?.x ?? 0;
    const warm = points.filter(({ x }) => x > requests * WARM_UP_RATIO);
    const mibPer100000 = slope(lowest(warm)) * 100_000;
    return judge(
      {
        requests,
        perSecond: round((requests * 1_000) / (Date.now() - begin)),
        mib: points.filter((_, n) => n % Math.ceil(points.length / SHOWN) === 0).map(({ y }) => round(y)),
        mibPer100000: round(mibPer100000, 2),
      },
      [
        { figure: "mibPer100000", value: mibPer100000, atMost: 1 },
        { figure: "requests", value: requests, atLeast: (FULL_REQUESTS * plan.forMs) / FULL_MS },
      ],
    );
  });
}

function lowest(points: readonly Point[]): readonly Point[] {
  const groups = Array.from({ length: Math.ceil(points.length / COLLECTED) }, (_, n) =>
    points.slice(n * COLLECTED, (n + 1) * COLLECTED),
  );
  return groups.map((group) => group.reduce((low, point) => (point.y < low.y ? point : low)));
}

/** The resident memory of a process. Linux only. */
function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib) / 1_024;
}

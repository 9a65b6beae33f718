/**
 * The test that Linkerd's authors published for load balancers: one of eleven
 * replicas takes two seconds for half a minute, callers wait one.
 *
 * @module
 */
import { slow, WELL } from "../behavior.ts";
import type { Document } from "../documents.ts";
import { lateness, quantile, round, successRatio } from "../figures.ts";
import { openLoop } from "../load.ts";
import { play, type Plan } from "../plan.ts";
import { judge, onStage, type Scenario, type Verdict } from "../scenario.ts";

const REPLICAS = Array.from({ length: 11 }, (_, n) => `replica-${n + 1}`);
const SLOW = "replica-1";

/** All with the same limit, after which the mesh answers 504. */
const REQUEST = "1s";
const CONFIGURATIONS: Readonly<Record<string, Document>> = {
  roundRobin: { loadBalancer: { type: "RoundRobin" }, timeouts: { request: REQUEST } },
  leastRequest: { loadBalancer: { type: "LeastRequest" }, timeouts: { request: REQUEST } },
  peakEwma: { loadBalancer: { type: "PeakEWMA" }, timeouts: { request: REQUEST } },
  peakEwmaHedged: {
    loadBalancer: { type: "PeakEWMA" },
    timeouts: { request: REQUEST },
    hedging: { after: "200ms" },
  },
};

/** The configuration that must reach the target; the others are told for comparison. */
const JUDGED = "peakEwmaHedged";

/** A third of the time well, half slow, a sixth well again: 30 s slow in a minute. */
export const slowReplica: Scenario = {
  shows: "one of eleven replicas takes 2 s for half the time, callers wait 1 s; four configurations in turn",
  size: { forMs: 60_000, perSecond: 300 },
  steps: ({ forMs }) => [
    { atMs: forMs / 3, act: { kind: "behave", upstream: SLOW, behavior: slow(2_000) } },
    { atMs: (forMs * 5) / 6, act: { kind: "behave", upstream: SLOW, behavior: WELL } },
  ],
  run,
};

async function run(plan: Plan): Promise<Verdict> {
  const figures: Record<string, unknown> = {};
  let judged = Number.NaN;
  for (const [name, traffic] of Object.entries(CONFIGURATIONS)) {
    const { success, ...rest } = await measure(plan, traffic);
    figures[name] = { success: round(success, 5), ...rest };
    if (name === JUDGED) judged = success;
  }
  return judge(figures, [{ figure: `success of ${JUDGED}`, value: judged, atLeast: 0.9995 }]);
}

function measure(
  plan: Plan,
  traffic: Document,
): Promise<{
  readonly success: number;
  readonly lateMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}> {
  return onStage(plan, { upstreams: REPLICAS, isolates: 1, traffic }, async (stage) => {
    const [calls] = await Promise.all([
      openLoop({ targets: stage.fleet.isolates, perSecond: plan.perSecond, forMs: plan.forMs }),
      play(plan, stage),
    ]);
    const times = calls.map(({ ms }) => ms);
    return {
      success: successRatio(calls),
      lateMs: lateness(calls),
      p50Ms: round(quantile(times, 0.5)),
      p99Ms: round(quantile(times, 0.99)),
    };
  });
}

/**
 * A leased rate limit shared by isolates whose shares of the traffic differ
 * by up to 150 times and are drawn anew every ten seconds.
 *
 * @module
 */
import { worstBurst } from "../../engine/isolates.ts";
import { seeded } from "../../engine/random.ts";
import { type Document, NAMESPACE } from "../documents.ts";
import { lateness, round, statuses } from "../figures.ts";
import { openLoop } from "../load.ts";
import type { Plan } from "../plan.ts";
import { judge, onStage, type Scenario, type Verdict } from "../scenario.ts";

const ISOLATES = 8;
const SHIFT_EVERY_MS = 10_000;

/** Calls, as a multiple of the limit. */
const DEMAND = 1.5;

/** By when the burst that a limit begins with is spent. */
const SETTLED_MS = 3_000;

/**
 * Calls are counted where they arrive, which is later than where they were
 * admitted, and not equally so: a limit's windows are as exact as this.
 */
const BLUR_MS = 50;

/** One scenario for each limit. */
export function rateLimit(perSecond: number): Scenario {
  return {
    shows: `8 isolates with skewed, shifting shares of 1.5 times a leased limit of ${perSecond} per second`,
    size: { forMs: 60_000, perSecond: perSecond * DEMAND },
    steps: () => [],
    run: (plan) => run(plan, perSecond),
  };
}

function policy(perSecond: number): Document {
  return {
    apiVersion: "selvedge.dev/v1",
    kind: "RateLimitPolicy",
    metadata: { name: "web", namespace: NAMESPACE },
    spec: {
      targetRefs: [{ group: "", kind: "Service", name: "web" }],
      // An object that a busy machine makes late must not open the limit: that would be policy, not a miscount.
      limits: [{ mode: "Leased", requests: perSecond, per: "1s", whenUnavailable: "Deny" }],
    },
  };
}

function run(plan: Plan, perSecond: number): Promise<Verdict> {
  const options = { upstreams: ["a"], isolates: ISOLATES, documents: [policy(perSecond)] };
  return onStage(plan, options, async ({ fleet, upstreams }) => {
    const begin = Date.now();
    const calls = await openLoop({
      targets: fleet.isolates,
      perSecond: plan.perSecond,
      forMs: plan.forMs,
      aim: skewed(plan.seed),
    });
    const arrivals = (await upstreams.arrivals("a")).toSorted((a, b) => a - b);
    const asked = (await fleet.objects.calls()).filter(({ method }) => method === "lease");
    const settled = arrivals.filter((at) => at >= begin + SETTLED_MS && at < begin + plan.forMs);
    const granted = settled.length / ((perSecond * (plan.forMs - SETTLED_MS)) / 1_000);
    const worst = worstBurst(arrivals, { requests: perSecond, perMs: 1_000, burst: perSecond });
    const endedAt = Math.max(...calls.map(({ at, ms }) => at + ms));
    const admitted = calls.filter(({ status }) => status === 200).length;
    const allowedInAll = Math.ceil((perSecond * (endedAt - begin)) / 1_000) + perSecond;
    // As many as the limit may come at once: what burst it has unless one is given.
    const allowed = perSecond + Math.ceil((perSecond * BLUR_MS) / 1_000);
    return judge(
      {
        calls: calls.length,
        lateMs: lateness(calls),
        statuses: statuses(calls),
        granted: round(granted, 4),
        allowedInAll,
        worstBurst: worst,
        allowedBurst: allowed,
        objectCalls: asked.length,
        callsPerObjectCall: round(calls.length / Math.max(1, asked.length), 1),
      },
      [
        { figure: "granted", value: granted, atLeast: 0.97 },
        { figure: "worstBurst", value: worst, atMost: allowed },
        { figure: "admitted in all", value: admitted, atMost: allowedInAll },
      ],
    );
  });
}

/** Draws the target of each call. */
function skewed(seed: number): (n: number, atMs: number) => number {
  const random = seeded(seed);
  let weights: readonly number[] = [];
  let drawnFor = -1;
  return (_n, atMs) => {
    const span = Math.floor(atMs / SHIFT_EVERY_MS);
    if (span !== drawnFor) {
      drawnFor = span;
      weights = Array.from({ length: ISOLATES }, () => Math.exp(5 * random()));
    }
    let left = random() * weights.reduce((sum, weight) => sum + weight, 0);
    return Math.max(
      0,
      weights.findIndex((weight) => (left -= weight) < 0),
    );
  };
}

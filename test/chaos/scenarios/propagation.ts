/**
 * How long the last of eight processes goes on with an old configuration
 * after a new one was acknowledged, beside 10,000 services.
 *
 * @module
 */
import { joinedWorker, ownAnswer, service } from "../documents.ts";
import type { Fleet } from "../fleet.ts";
import { isError, lateness, quantile, round } from "../figures.ts";
import { type Call, openLoop } from "../load.ts";
import { play, type Plan, type Step, type Taken } from "../plan.ts";
import { judge, onStage, type Scenario, type Verdict } from "../scenario.ts";

const PROCESSES = 8;
const SERVICES = 10_000;
const BATCH = 1_000;

const FIRST_MS = 2_000;
const EVERY_MS = 2_000;
const APPLIES = 60;

/** Joined Workers decide the calls, each in a runtime of its own, from snapshots that they pull. */
export const propagation: Scenario = {
  shows: "8 processes, 10,000 services: from an acknowledged apply to the last answer by the old snapshot",
  size: { forMs: FIRST_MS + APPLIES * EVERY_MS, perSecond: 200 },
  steps: ({ forMs }) => Array.from({ length: Math.floor((forMs - FIRST_MS) / EVERY_MS) }, (_, n) => apply(n)),
  run,
};

/** A little more than every two seconds, so that applies and syncs do not fall into step. */
function apply(n: number): Step {
  return {
    atMs: FIRST_MS + n * EVERY_MS + ((n * 137) % 500),
    act: { kind: "apply", documents: [ownAnswer(n + 1)] },
  };
}

function run(plan: Plan): Promise<Verdict> {
  const options = {
    upstreams: [],
    isolates: 0,
    documents: [ownAnswer(0), OPEN_DOOR, ...joinedWorker("binding:CALLER")],
  };
  return onStage(plan, options, async (stage) => {
    await loadServices(stage.fleet);
    const targets = await Promise.all(Array.from({ length: PROCESSES }, () => stage.fleet.join()));
    const load = { targets, perSecond: plan.perSecond };
    // The first call of each loads its configuration.
    await openLoop({ ...load, forMs: 500 });
    const [taken, calls] = await Promise.all([play(plan, stage), openLoop({ ...load, forMs: plan.forMs })]);
    const lags = taken.map((step, n) => lagOf(step, n, calls));
    const p99 = quantile(lags, 0.99);
    const errors = calls.filter(isError).length;
    return judge(
      {
        processes: PROCESSES,
        services: SERVICES,
        applies: lags.length,
        errors,
        lateMs: lateness(calls),
        applyMs: round(
          quantile(
            taken.map(({ at, from }) => at - from),
            0.5,
          ),
        ),
        p50Ms: round(quantile(lags, 0.5)),
        p99Ms: round(p99),
      },
      [
        { figure: "errors", value: errors, atMost: 0 },
        { figure: "p99Ms", value: p99, atMost: 1_000 },
      ],
    );
  });
}

/** From the acknowledgement of the n-th apply to the end of the last call that knew it not. */
function lagOf({ at }: Taken, n: number, calls: readonly Call[]): number {
  const old = calls.filter(({ headers }) => Number(headers["x-generation"]) <= n);
  return Math.max(0, ...old.map((call) => call.at + call.ms - at));
}

async function loadServices(fleet: Fleet): Promise<void> {
  for (let from = 0; from < SERVICES; from += BATCH)
    await fleet.apply(Array.from({ length: BATCH }, (_, n) => service(`service-${from + n}`)));
}

/** Calls from nobody let in: the load generator is nobody. */
const OPEN_DOOR = {
  apiVersion: "security.istio.io/v1",
  kind: "PeerAuthentication",
  metadata: { name: "caller", namespace: "chaos" },
  spec: { selector: { matchLabels: { app: "caller" } }, mtls: { mode: "PERMISSIVE" } },
};

/**
 * Three endpoints, one of which fails always and one of which is slow; all
 * of them break a connection now and then.
 *
 * @module
 */
import { type Behavior, failing, slow, WELL } from "../behavior.ts";
import { lateness, quantile, round, statuses, successRatio } from "../figures.ts";
import { openLoop } from "../load.ts";
import { play, type Plan, type Step } from "../plan.ts";
import { judge, onStage, type Scenario, type Verdict } from "../scenario.ts";

const BEHAVIORS: Readonly<Record<string, Behavior>> = { a: failing(503), b: slow(500), c: WELL };

/** Success of idempotent calls. */
export const threeEndpoints: Scenario = {
  shows: "500 calls a second at three endpoints: one fails always, one is 500 ms late, all reset 1 %",
  size: { forMs: 60_000, perSecond: 500 },
  steps: () => Object.entries(BEHAVIORS).map(breakAtOnce),
  run,
};

function breakAtOnce([upstream, behavior]: [string, Behavior]): Step {
  const reset = { share: 0.01, fault: { kind: "reset", after: "request" } } as const;
  const mishaps = [reset, ...behavior.mishaps];
  return { atMs: 0, act: { kind: "behave", upstream, behavior: { ...behavior, mishaps } } };
}

function run(plan: Plan): Promise<Verdict> {
  return onStage(plan, { upstreams: Object.keys(BEHAVIORS), isolates: 1 }, async (stage) => {
    await play(plan, stage);
    const calls = await openLoop({
      targets: stage.fleet.isolates,
      perSecond: plan.perSecond,
      forMs: plan.forMs,
    });
    const success = successRatio(calls);
    const times = calls.map(({ ms }) => ms);
    return judge(
      {
        calls: calls.length,
        lateMs: lateness(calls),
        success: round(success, 5),
        statuses: statuses(calls),
        p50Ms: round(quantile(times, 0.5)),
        p99Ms: round(quantile(times, 0.99)),
      },
      [{ figure: "success", value: success, atLeast: 0.999 }],
    );
  });
}

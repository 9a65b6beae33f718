/**
 * What the data plane asks of the control plane when nothing happens.
 *
 * @module
 */
import { isError, lateness, round } from "../figures.ts";
import { openLoop } from "../load.ts";
import type { Plan } from "../plan.ts";
import { judge, onStage, type Scenario, type Verdict } from "../scenario.ts";

const ISOLATES = 4;

/** Counts the calls of all object classes. */
export const steadyState: Scenario = {
  shows: "500 calls a second over 4 isolates: calls carried for each one that reaches the registry",
  size: { forMs: 60_000, perSecond: 500 },
  steps: () => [],
  run,
};

function run(plan: Plan): Promise<Verdict> {
  return onStage(plan, { upstreams: ["a", "b", "c"], isolates: ISOLATES }, async ({ fleet }) => {
    const calls = await openLoop({ targets: fleet.isolates, perSecond: plan.perSecond, forMs: plan.forMs });
    const asked = await fleet.objects.calls();
    const methods: Record<string, number> = {};
    for (const { className, method } of asked) {
      const name = `${className}.${method}`;
      methods[name] = (methods[name] ?? 0) + 1;
    }
    const ofRegistry = asked.filter(({ className }) => className === "RegistryObject").length;
    const perRegistryCall = calls.length / ofRegistry;
    return judge(
      {
        calls: calls.length,
        lateMs: lateness(calls),
        errors: calls.filter(isError).length,
        objectCalls: methods,
        callsPerRegistryCall: round(perRegistryCall, 1),
        callsPerObjectCall: round(calls.length / asked.length, 1),
      },
      [{ figure: "callsPerRegistryCall", value: perRegistryCall, atLeast: 1_000 }],
    );
  });
}

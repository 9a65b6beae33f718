/**
 * A service that fails altogether: how much more it gets for it, and how it
 * is tried for its return.
 *
 * @module
 */
import { failing } from "../behavior.ts";
import { busiest, lateness, quantile, round, statuses } from "../figures.ts";
import { type Call, openLoop } from "../load.ts";
import { play, type Plan, type Step } from "../plan.ts";
import { judge, onStage, type Scenario, type Verdict } from "../scenario.ts";

const UPSTREAMS = ["a", "b", "c"];

const fail = (upstream: string): Step => ({
  atMs: 0,
  act: { kind: "behave", upstream, behavior: failing(503) },
});

/** With the mesh's defaults: nothing but the retry budget holds retries back. */
export const retryStorm: Scenario = {
  shows: "all of a service's endpoints fail at 500 calls a second: how many more calls they get",
  size: { forMs: 30_000, perSecond: 500 },
  steps: () => UPSTREAMS.map(fail),
  run: runStorm,
};

function runStorm(plan: Plan): Promise<Verdict> {
  return onStage(plan, { upstreams: UPSTREAMS, isolates: 1 }, async (stage) => {
    await play(plan, stage);
    const { isolates } = stage.fleet;
    const calls = await openLoop({ targets: isolates, perSecond: plan.perSecond, forMs: plan.forMs });
    let tries = 0;
    for (const name of UPSTREAMS) tries += (await stage.upstreams.arrivals(name)).length;
    const amplification = tries / calls.length;
    return judge(
      { calls: calls.length, lateMs: lateness(calls), tries, amplification: round(amplification, 3) },
      [{ figure: "amplification", value: amplification, atMost: 1.25 }],
    );
  });
}

const ISOLATES = 8;
const OPEN_FOR_MS = 1_000;
const CIRCUIT = {
  circuitBreaker: { openFor: `${OPEN_FOR_MS}ms`, maxOpenFor: `${OPEN_FOR_MS}ms`, jitterPercent: 0 },
};

/** Calls that were on their way when the last circuit opened have arrived by then. */
const UNDERWAY_MS = 500;

/** Two probes are as far apart as a circuit is open, less what clocks and queues blur. */
const BLUR_MS = 50;

/** One endpoint fails always, so that circuits are half-open again and again. */
export const halfOpen: Scenario = {
  shows: "a failed service behind 8 isolates: at most one probe for all of them while circuits are open",
  size: { forMs: 30_000, perSecond: 500 },
  steps: () => [fail("a")],
  run: runHalfOpen,
};

function runHalfOpen(plan: Plan): Promise<Verdict> {
  const options = { upstreams: ["a"], isolates: ISOLATES, traffic: CIRCUIT };
  return onStage(plan, options, async (stage) => {
    await play(plan, stage);
    const { isolates } = stage.fleet;
    const calls = await openLoop({ targets: isolates, perSecond: plan.perSecond, forMs: plan.forMs });
    const arrivals = await stage.upstreams.arrivals("a");
    const settledAt = allOpenAt(calls) + UNDERWAY_MS;
    const probes = arrivals.filter((at) => at >= settledAt);
    const perWindow = busiest(probes, OPEN_FOR_MS - BLUR_MS);
    const gaps = probes.slice(1).map((at, n) => at - (probes[n] ?? at));
    return judge(
      {
        calls: calls.length,
        lateMs: lateness(calls),
        statuses: statuses(calls),
        openAfterMs: round(settledAt - (calls[0]?.at ?? Number.NaN)),
        untilOpen: arrivals.length - probes.length,
        probes: probes.length,
        medianGapMs: round(quantile(gaps, 0.5)),
        probesPerWindow: perWindow,
      },
      [
        { figure: "probesPerWindow", value: perWindow, atMost: 1 },
        // Probing must go on, too.
        { figure: "probes", value: probes.length, atLeast: plan.forMs / (4 * OPEN_FOR_MS) },
      ],
    );
  });
}

/** When the last isolate first turned a call away because its circuit was open. */
function allOpenAt(calls: readonly Call[]): number {
  const firsts = Array.from({ length: ISOLATES }, (_, n) => {
    const first = calls.find(
      ({ target, headers }) => target === n && String(headers["proxy-status"]).includes("circuit.open"),
    );
    return first === undefined ? Number.POSITIVE_INFINITY : first.at + first.ms;
  });
  return Math.max(...firsts);
}

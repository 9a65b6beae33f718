/**
 * One endpoint of three goes through all that can go wrong with an upstream,
 * one fault after the other.
 *
 * @module
 */
import { type Fault, WELL } from "../behavior.ts";
import { lateness, round, statuses, successRatio } from "../figures.ts";
import { type Call, openLoop } from "../load.ts";
import { play, type Plan, type Step, type Taken } from "../plan.ts";
import { judge, onStage, type Scenario, type Target, type Verdict } from "../scenario.ts";

interface Trial {
  readonly fault: Fault;
  /** Of idempotent calls while it lasts, 0..1; where nothing is said, an answer that has begun cannot be repeated. */
  readonly success?: number;
}

const TRIALS: Readonly<Record<string, Trial>> = {
  status500: { fault: { kind: "status", status: 500 } },
  status503: { fault: { kind: "status", status: 503 }, success: 0.999 },
  resetBeforeHeaders: { fault: { kind: "reset", after: "request" }, success: 0.999 },
  blackHole: { fault: { kind: "black-hole" }, success: 0.999 },
  slowBody: { fault: { kind: "slow-body", overMs: 1_000 }, success: 0.999 },
  resetAfterHeaders: { fault: { kind: "reset", after: "headers" } },
  wrongLength: { fault: { kind: "wrong-length" } },
};

/** Between two faults the endpoint is well, and its circuit closes. */
const WELL_RATIO = 0.4;

const TRAFFIC = {
  timeouts: { perTry: "300ms" },
  circuitBreaker: { openFor: "500ms", maxOpenFor: "500ms", rejects: false },
};

/** What a client gets of an answer that was cut off must not look whole. */
export const everyFault: Scenario = {
  shows: "one of three endpoints has each fault in turn: what can be repeated is, what is cut off looks so",
  size: { forMs: 70_000, perSecond: 300 },
  steps: ({ forMs }) => Object.values(TRIALS).flatMap(({ fault }, n) => trial(fault, n, forMs)),
  run,
};

function trial(fault: Fault, n: number, forMs: number): Step[] {
  const eachMs = forMs / Object.keys(TRIALS).length;
  const behavior = { ...WELL, mishaps: [{ share: 1, fault }] };
  return [
    { atMs: n * eachMs, act: { kind: "behave", upstream: "a", behavior } },
    { atMs: (n + 1 - WELL_RATIO) * eachMs, act: { kind: "behave", upstream: "a", behavior: WELL } },
  ];
}

function run(plan: Plan): Promise<Verdict> {
  const options = { upstreams: ["a", "b", "c"], isolates: 1, traffic: TRAFFIC };
  return onStage(plan, options, async (stage) => {
    const [taken, calls] = await Promise.all([
      play(plan, stage),
      openLoop({ targets: stage.fleet.isolates, perSecond: plan.perSecond, forMs: plan.forMs }),
    ]);
    const figures: Record<string, unknown> = { calls: calls.length, lateMs: lateness(calls) };
    const targets: Target[] = [];
    for (const [n, [name, { fault, success }]] of Object.entries(TRIALS).entries()) {
      const during = callsBetween(calls, taken[2 * n], taken[2 * n + 1]);
      const ratio = successRatio(during);
      figures[name] = { success: round(ratio, 5), statuses: statuses(during) };
      if (success !== undefined)
        targets.push({ figure: `success of ${name}`, value: ratio, atLeast: success });
      if (!cutsOff(fault)) continue;
      const whole = during.filter(({ servedBy, status }) => servedBy === "a" && status === 200).length;
      targets.push({ figure: `answers that look whole of ${name}`, value: whole, atMost: 0 });
    }
    return judge(figures, targets);
  });
}

/** Calls that began and ended while a fault was in force. */
function callsBetween(calls: readonly Call[], begin: Taken | undefined, end: Taken | undefined): Call[] {
  const from = begin?.at ?? Number.NaN;
  const to = end?.from ?? Number.NaN;
  return calls.filter(({ at, ms }) => at >= from && at + ms < to);
}

function cutsOff(fault: Fault): boolean {
  return fault.kind === "wrong-length" || (fault.kind === "reset" && fault.after === "headers");
}

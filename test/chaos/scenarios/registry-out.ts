/**
 * The registry goes out of reach under load and comes back.
 *
 * @module
 */
import { generation } from "../documents.ts";
import { isError, lateness, round } from "../figures.ts";
import { type Call, openLoop } from "../load.ts";
import type { ObjectCall, ObjectFault } from "../objects.ts";
import { play, type Plan, type Step, type Taken } from "../plan.ts";
import { judge, onStage, type Scenario, type Verdict } from "../scenario.ts";

const ISOLATES = 4;

/** What hosts ask in a time without outage and after one is compared over this time, each with one change in it. */
const FULL_WINDOW_MS = 25_000;

/** As much of a shorter run. */
const WINDOW_RATIO = 0.3;

const OUTAGE_MS = 120_000;

function stepsOf(forMs: number, fault: ObjectFault): readonly Step[] {
  const windowMs = windowOf(forMs);
  const backMs = forMs - windowMs;
  return [
    change(windowMs / 2, 1),
    { atMs: windowMs, act: { kind: "break", className: "RegistryObject", fault } },
    // Questions that were held until then break off as well: their hosts must find out that nothing answers.
    { atMs: windowMs + (backMs - windowMs) / 4, act: { kind: "evict", className: "RegistryObject" } },
    { atMs: backMs, act: { kind: "mend", className: "RegistryObject" } },
    // At once: what every isolate must have within its time.
    change(backMs, 2),
  ];
}

function change(atMs: number, n: number): Step {
  return { atMs, act: { kind: "apply", documents: [generation(n)] } };
}

function windowOf(forMs: number): number {
  return Math.min(FULL_WINDOW_MS, forMs * WINDOW_RATIO);
}

function outage(how: string, fault: ObjectFault): Scenario {
  return {
    shows: `the registry ${how} under 500 calls a second: no call fails, all isolates current 5 s after`,
    size: { forMs: FULL_WINDOW_MS + OUTAGE_MS + FULL_WINDOW_MS, perSecond: 500 },
    steps: ({ forMs }) => stepsOf(forMs, fault),
    run,
  };
}

/** The ways of being out of reach, each a scenario. */
export const registryRefuses = outage("refuses every call", { kind: "throw" });
export const registryStalls = outage("answers nothing", { kind: "stall" });
export const registryCrawls = outage("takes 5 s for every answer", { kind: "slow", ms: 5_000 });

function run(plan: Plan): Promise<Verdict> {
  const options = { upstreams: ["a", "b", "c"], isolates: ISOLATES, documents: [generation(0)] };
  return onStage(plan, options, async (stage) => {
    const { fleet } = stage;
    const [taken, calls] = await Promise.all([
      play(plan, stage),
      openLoop({ targets: fleet.isolates, perSecond: plan.perSecond, forMs: plan.forMs }),
    ]);
    const [broken, mended] = timesOf(taken);
    const asked = await fleet.objects.calls();
    const errors = calls.filter(isError).length;
    const currentMs = slowestToCurrent(calls, mended);
    const windowMs = windowOf(plan.forMs);
    const normal = questions(asked, broken - windowMs, broken);
    const atReturn = questions(asked, mended, mended + windowMs);
    return judge(
      {
        calls: calls.length,
        lateMs: lateness(calls),
        errors,
        currentAfterMs: round(currentMs),
        questionsNormally: normal,
        questionsWhileOut: questions(asked, broken, mended),
        questionsAtReturn: atReturn,
      },
      [
        { figure: "errors", value: errors, atMost: 0 },
        { figure: "currentAfterMs", value: currentMs, atMost: 5_000 },
        { figure: "questionsAtReturn", value: atReturn, atMost: 2 * normal },
      ],
    );
  });
}

/** When the registry broke and when it was back. */
function timesOf(taken: readonly Taken[]): readonly [number, number] {
  const at = (kind: string): number => taken.find(({ act }) => act.kind === kind)?.at ?? Number.NaN;
  return [at("break"), at("mend")];
}

/** How often hosts asked the registry; what objects and the admin API tell it is not counted. */
function questions(calls: readonly ObjectCall[], from: number, to: number): number {
  const isQuestion = ({ className, method, at }: ObjectCall): boolean =>
    className === "RegistryObject" && method === "sync" && at >= from && at < to;
  return calls.filter(isQuestion).length;
}

/** How long after `since` the last isolate decided a call by the old configuration; all must have got the new one. */
function slowestToCurrent(calls: readonly Call[], since: number): number {
  const last = calls.findLast(({ at, headers }) => at > since && Number(headers["x-generation"]) < 2);
  const current = new Set(
    calls.filter(({ headers }) => headers["x-generation"] === "2").map(({ target }) => target),
  );
  return current.size < ISOLATES ? Number.POSITIVE_INFINITY : (last?.at ?? since) - since;
}

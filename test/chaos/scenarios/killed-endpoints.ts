/**
 * Endpoints that die under load, twenty times in the scenario's full length,
 * in turn by refusing connections and by failing every call.
 *
 * @module
 */
import { DEAD, failing, WELL } from "../behavior.ts";
import { isError, lateness, round, statuses } from "../figures.ts";
import { type Call, openLoop } from "../load.ts";
import { play, type Plan, type Step, type Taken } from "../plan.ts";
import { judge, onStage, type Scenario, type Verdict } from "../scenario.ts";

const UPSTREAMS = ["a", "b", "c"];
const BUSY = 3;
const QUIET = 3;
const QUIET_PER_SECOND = 30;

const CYCLE_MS = 3_000;
const FIRST_MS = 1_000;
const DEAD_FOR_MS = 1_500;

/** By when no call fails any more. */
const LIMIT_MS = 1_000;

/** Late errors that are told. */
const SHOWN = 5;

/** Short circuits, so that an endpoint serves again before it dies again. */
const TRAFFIC = { circuitBreaker: { openFor: "500ms", maxOpenFor: "500ms", rejects: false } };

/**
 * Busy isolates carry idempotent calls, which may not fail at all. Quiet ones
 * carry a few calls that are not repeated: too few to find a failing endpoint
 * by themselves within the second that they have.
 */
export const killedEndpoints: Scenario = {
  shows: "an endpoint of three dies every 3 s: no idempotent call fails, no other after a second",
  size: { forMs: FIRST_MS + 20 * CYCLE_MS, perSecond: 500 },
  steps: ({ forMs }) =>
    Array.from({ length: Math.floor((forMs - FIRST_MS) / CYCLE_MS) }, (_, n) => kill(n)).flat(),
  run,
};

function kill(n: number): Step[] {
  const upstream = UPSTREAMS[n % UPSTREAMS.length] ?? "";
  const atMs = FIRST_MS + n * CYCLE_MS;
  const behavior = n % 2 === 0 ? DEAD : failing(503);
  return [
    { atMs, act: { kind: "behave", upstream, behavior } },
    { atMs: atMs + DEAD_FOR_MS, act: { kind: "behave", upstream, behavior: WELL } },
  ];
}

function run(plan: Plan): Promise<Verdict> {
  return onStage(plan, { upstreams: UPSTREAMS, isolates: BUSY + QUIET, traffic: TRAFFIC }, async (stage) => {
    const { isolates } = stage.fleet;
    const { forMs, perSecond } = plan;
    const [taken, busy, quiet] = await Promise.all([
      play(plan, stage),
      openLoop({ targets: isolates.slice(0, BUSY), perSecond: perSecond - QUIET_PER_SECOND, forMs }),
      openLoop({ targets: isolates.slice(BUSY), perSecond: QUIET_PER_SECOND, forMs, method: "POST" }),
    ]);
    const kills = taken.filter((_, n) => n % 2 === 0);
    const errors = [...busy, ...quiet].flatMap((call) => (isError(call) ? [errorOf(call, kills)] : []));
    const idempotentErrors = busy.filter(isError).length;
    const lastErrorMs = Math.max(0, ...errors.map(({ afterMs }) => afterMs));
    return judge(
      {
        kills: kills.length,
        calls: busy.length,
        lateMs: lateness([...busy, ...quiet]),
        idempotentErrors,
        otherCalls: quiet.length,
        otherErrors: quiet.filter(isError).length,
        lastErrorMs,
        idempotentStatuses: statuses(busy),
        late: errors.filter(({ afterMs }) => afterMs > LIMIT_MS).slice(0, SHOWN),
      },
      [
        { figure: "idempotentErrors", value: idempotentErrors, atMost: 0 },
        { figure: "lastErrorMs", value: lastErrorMs, atMost: LIMIT_MS },
      ],
    );
  });
}

interface ClientError {
  /** From the last kill to when it came to the client. */
  readonly afterMs: number;
  readonly target: number;
  readonly status: number;
  readonly servedBy: string;
  /** What the mesh says of an answer that it gave itself. */
  readonly proxyStatus: string;
}

function errorOf({ at, ms, headers, ...call }: Call, kills: readonly Taken[]): ClientError {
  const { target, status, servedBy } = call;
  const last = kills.findLast(({ from }) => from <= at + ms);
  const afterMs = round(at + ms - (last?.from ?? at));
  return { afterMs, target, status, servedBy, proxyStatus: String(headers["proxy-status"] ?? "") };
}

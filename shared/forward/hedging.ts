/**
 * Hedging: a try that takes longer than usual gets others beside it, and
 * whichever answers first is taken. All tries of a call belong to one
 * invocation, so that none wakes another's.
 *
 * @module
 */
import type { Endpoint } from "../engine/endpoint.ts";
import * as hedge from "../engine/hedge.ts";
import type { HedgePolicy } from "../engine/hedge.ts";
import type { Millis } from "../engine/time.ts";
import * as timeout from "../engine/timeout.ts";
import { discard } from "./attempt.ts";
import type { Attempt } from "./attempt.ts";
import { canReplay } from "./body.ts";
import type { Body } from "./body.ts";
import type { Call } from "./call.ts";
import type { Plan } from "./plan.ts";

/** A try and how it ended. */
export interface Finish {
  readonly endpoint: Endpoint;
  readonly outcome: Attempt;
}

/** A place for a try, and the call as the policies there let it through. */
export interface Candidate {
  readonly endpoint: Endpoint;
  readonly call: Call;
}

/** How tries are made: the loop's own. */
export interface Race {
  readonly body: Body;
  /** The place for one more try, admitted and within the budget's count; `null` when there is none. */
  next(): Promise<Candidate | null>;
  send(candidate: Candidate, control: AbortController): Promise<Attempt>;
}

interface Runner {
  readonly control: AbortController;
  readonly finish: Promise<Arrived>;
  hasArrived: boolean;
}

interface Arrived extends Finish {
  readonly runner: Runner;
}

interface Course {
  /** Those whose end was not looked at yet: one may come while the place for another is being found. */
  readonly runners: Set<Runner>;
  hedges: number;
  lastSentAt: Millis;
  /** No further try is started. */
  isClosed: boolean;
}

/**
 * Tries `first` and, as the policy says, others beside it. The first answer
 * that is no failure ends the race; of failures the last one counts. What is
 * still on its way then is ended.
 */
export async function race(
  plan: Plan,
  first: Candidate,
  { policy, ...rest }: Race & { readonly policy: HedgePolicy },
): Promise<Finish> {
  const { call } = first;
  const course: Course = { runners: new Set(), hedges: 0, lastSentAt: 0, isClosed: false };
  run(course, rest, first);
  for (;;) {
    const waitMs = course.isClosed ? null : await hedgeOrWait(call, plan, course, { policy, ...rest });
    const finished = await nextFinish(call, course, waitMs);
    if (finished === null) continue;
    const { runner, endpoint, outcome } = finished;
    course.runners.delete(runner);
    if (course.runners.size === 0 || isAnswer(outcome)) {
      for (const other of course.runners) end(other);
      return { endpoint, outcome };
    }
    discard(outcome);
  }
}

function isAnswer(outcome: Attempt): boolean {
  return outcome.kind === "response" && outcome.status < 500;
}

function run(course: Course, { send }: Pick<Race, "send">, candidate: Candidate): void {
  const control = new AbortController();
  const runner: Runner = {
    control,
    hasArrived: false,
    finish: send(candidate, control).then((outcome) => {
      runner.hasArrived = true;
      return { runner, endpoint: candidate.endpoint, outcome };
    }),
  };
  course.runners.add(runner);
  course.lastSentAt = candidate.call.mesh.ports.now();
}

/** Starts another try if it is time; answers with how long to wait before the next, `null` for as long as it takes. */
async function hedgeOrWait(
  call: Call,
  plan: Plan,
  course: Course,
  { policy, ...rest }: Race & { readonly policy: HedgePolicy },
): Promise<Millis | null> {
  const { ports } = call.mesh;
  const now = ports.now();
  const decision = hedge.decide({
    policy,
    budget: plan.retry.budget,
    spending: plan.service.traffic.spending,
    now,
    method: call.request.method,
    canReplay: canReplay(rest.body),
    hedges: course.hedges,
    waitedMs: now - course.lastSentAt,
    remainingMs: timeout.remainingMs(plan.timeouts, call.trail.arrivedAt, now),
    latencies: plan.pool.load.latencies,
  });
  if (decision.kind === "wait") return decision.forMs;
  const candidate = decision.kind === "send" ? await rest.next() : null;
  if (candidate === null) {
    course.isClosed = true;
    return null;
  }
  for (const runner of course.runners) if (runner.hasArrived) return null;
  course.hedges += 1;
  run(course, rest, candidate);
  return 0;
}

/** The next try that ends; `null` when none does within `waitMs`. */
function nextFinish(call: Call, course: Course, waitMs: Millis | null): Promise<Arrived | null> {
  const finished = Promise.race([...course.runners].map(({ finish }) => finish));
  if (waitMs === null) return finished;
  return new Promise((resolve) => {
    const cancel = call.mesh.ports.timer(waitMs, () => resolve(null));
    void finished.then((finish) => {
      cancel();
      resolve(finish);
    });
  });
}

/** Ends a try that lost; should it have been answered just now, nobody reads that. */
function end({ control, finish }: Runner): void {
  control.abort();
  void finish.then(({ outcome }) => discard(outcome));
}

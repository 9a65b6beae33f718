/**
 * The outbound half: carries a planned call to an endpoint, and tries another
 * one if that is of use.
 *
 * @module
 */
import * as balance from "../engine/balance.ts";
import type { Endpoint } from "../engine/endpoint.ts";
import { isRefused } from "../engine/penalty.ts";
import { PRIORITY_HEADER } from "../engine/priority.ts";
import * as retry from "../engine/retry.ts";
import type { TryOutcome } from "../engine/retry.ts";
import { retryAfterMs } from "../engine/retry-after.ts";
import * as retryBudget from "../engine/retry-budget.ts";
import type { InboundPolicy } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import * as timeout from "../engine/timeout.ts";
import { reasonOf } from "./answers.ts";
import { attempt, discard } from "./attempt.ts";
import type { Attempt } from "./attempt.ts";
import * as body from "./body.ts";
import type { Body } from "./body.ts";
import type { Call } from "./call.ts";
import { admitTo, sufferAt } from "./callee.ts";
import { startChoices } from "./choices.ts";
import type { Choices } from "./choices.ts";
import { choose, keep } from "./choose.ts";
import * as circuits from "./circuits.ts";
import { enter } from "./concurrency.ts";
import type { Place } from "./concurrency.ts";
import { gone, isGone } from "./departure.ts";
import { dress } from "./dress.ts";
import { aim } from "./failover.ts";
import type { Aim } from "./failover.ts";
import { suffer } from "./faults.ts";
import { race } from "./hedging.ts";
import type { Candidate, Finish } from "./hedging.ts";
import { mirror } from "./mirrors.ts";
import * as outliers from "./outliers.ts";
import type { Plan } from "./plan.ts";
import { refuse } from "./refusal.ts";
import type { Answer, Refusal } from "./refusal.ts";
import { limitSilence } from "./silence.ts";

/** The tries of one call so far. */
interface Tries extends Choices {
  readonly body: Body;
  /** What each policy set has said: the call as it lets it through, or its refusal. */
  readonly decided: Map<InboundPolicy | undefined, Call | Refusal>;
  /** `null` before the first try, and where concurrency is not limited. */
  place: Place | null;
}

/** Carries a planned call out. */
export async function deliver(call: Call, plan: Plan): Promise<Answer> {
  const fault = plan.faults.length === 0 ? null : await suffer(call, plan.faults, plan.timeouts);
  if (fault !== null) return dress(call, plan.dressing, [], fault);
  const { method } = call.request;
  const isHedged = plan.pin === null && plan.pool.policy.hedge !== null && retry.isIdempotent(method);
  const isNeeded = isHedged || plan.mirrors.length > 0;
  const held = await body.take(call.request, plan.retry, isNeeded);
  const tries: Tries = { ...startChoices(), body: held, decided: new Map(), place: null };
  if (plan.mirrors.length > 0) mirror(call, plan, held);
  if (retry.owns(plan.retry) && mayRetry(method, plan, held))
    call.headers.set(retry.RETRY_HEADER, retry.RETRY_OWNED);
  if (plan.priority !== "default") call.headers.set(PRIORITY_HEADER, plan.priority);
  retryBudget.deposit(plan.service.traffic.spending, call.mesh.ports.now());
  let answer: Answer;
  try {
    answer = await tryUntilDone(call, plan, tries);
  } finally {
    tries.place?.leave();
  }
  const { limitFields } = call.trail;
  if (limitFields.length > 0) tries.fields.push(...limitFields.map(([name, value]) => ({ name, value })));
  return dress(call, plan.dressing, tries.fields, answer);
}

/** Whether a try that reached the service could be followed by another: if not, a later host may retry instead. */
function mayRetry(method: string, { retry: policy }: Plan, held: Body): boolean {
  return body.canReplay(held) && (policy.anyMethod || retry.isIdempotent(method));
}

async function tryUntilDone(call: Call, plan: Plan, tries: Tries): Promise<Answer> {
  for (;;) {
    const aimed = await aimAt(call, plan, tries);
    if (aimed === null) return unavailable(call, plan);
    call.trail.destination = aimed.plan.service.id;
    const admitted = await admitOnce(call, aimed.plan, aimed.endpoint, tries);
    if ("kind" in admitted) return admitted;
    if (needsPlace(aimed.plan, tries)) {
      tries.place?.leave();
      tries.place = null;
      const place = await enter(call, aimed.plan);
      if (place?.kind === "refusal") return place;
      tries.place = place;
      // What was chosen before it waited may be the worst by now.
      if (place?.hasWaited === true) continue;
    }

    const { endpoint, outcome } = await tryFrom(call, aimed.plan, tries, {
      endpoint: aimed.endpoint,
      call: admitted,
    });
    tries.place?.endRetries();
    if (isGone(call)) return abandon(outcome);
    const decision = decide(call, plan, tries, outcome);
    if (decision.kind === "stop" || tries.place?.startRetry() === false)
      return conclude(call, aimed.plan, tries, { endpoint, outcome });
    discard(outcome);
    call.mesh.state.meter.host.retries += 1;
    retryBudget.withdraw(plan.service.traffic.spending, call.mesh.ports.now());
    if (decision.afterMs > 0) await call.mesh.ports.sleep(decision.afterMs);
    if (isGone(call)) return gone();
  }
}

/**
 * Whether a call waits for its turn before it is sent: once at each service
 * that it goes to. The host that chose a pinned endpoint has counted the call.
 */
function needsPlace({ pool, pin }: Plan, { place }: Tries): boolean {
  if (pin !== null) return false;
  return place === null ? pool.policy.concurrency !== undefined : place.bulkhead !== pool.bulkhead;
}

function abandon(outcome: Attempt): Refusal {
  discard(outcome);
  return gone();
}

/** The endpoint for a try, and whose it is: another service's only where the policy names some. */
async function aimAt(call: Call, plan: Plan, tries: Tries): Promise<Aim | null> {
  if (plan.pool.policy.failover !== undefined && plan.pin === null) return aim(call, plan, tries);
  const endpoint = await choose(call, plan, tries);
  return endpoint === null ? null : { plan, endpoint };
}

/** One try, or several beside one another. */
async function tryFrom(call: Call, plan: Plan, tries: Tries, first: Candidate): Promise<Finish> {
  const { hedge } = plan.pool.policy;
  const { endpoint } = first;
  if (hedge === null || plan.pin !== null)
    return { endpoint, outcome: await tryAt(first.call, plan, tries, { endpoint, control: null }) };
  const finish = await race(plan, first, {
    policy: hedge,
    body: tries.body,
    next: () => nextBeside(call, plan, tries),
    // Each with fields of its own: those of one try must not become another's while it waits.
    send: ({ endpoint, call: admitted }, control) => {
      const own = { ...admitted, headers: new Headers(admitted.headers) };
      return tryAt(own, plan, tries, { endpoint, control });
    },
  });
  call.trail.endpoint = finish.endpoint.id;
  call.trail.version = finish.endpoint.version;
  return finish;
}

/** An endpoint for a try beside others: none that has been tried already, since it may be what is slow. */
async function nextBeside(call: Call, plan: Plan, tries: Tries): Promise<Candidate | null> {
  const endpoint = await choose(call, plan, tries);
  if (endpoint === null || tries.tried.includes(endpoint)) return null;
  const admitted = await admitOnce(call, plan, endpoint, tries);
  if ("kind" in admitted) return null;
  if (tries.place?.startRetry() === false) return null;
  call.mesh.state.meter.host.retries += 1;
  retryBudget.withdraw(plan.service.traffic.spending, call.mesh.ports.now());
  return { endpoint, call: admitted };
}

interface Target {
  readonly endpoint: Endpoint;
  readonly control: AbortController | null;
}

async function tryAt(call: Call, plan: Plan, tries: Tries, { endpoint, control }: Target): Promise<Attempt> {
  tries.tried.push(endpoint);
  call.trail.tries += 1;
  call.trail.endpoint = endpoint.id;
  call.trail.version = endpoint.version;
  const sentAt = call.mesh.ports.now();
  const outcome = await attempt(call, plan, endpoint, { body: tries.body, control });
  // A try that was ended because another had answered, or nobody waits any more, says nothing about its endpoint.
  if ((control?.signal.aborted === true || isGone(call)) && outcome.kind !== "timeout") return outcome;
  circuits.settle(call.mesh, plan, endpoint.id, evidenceOf(endpoint, outcome));
  outliers.settle(call.mesh, plan, endpoint.id, outcome);
  learn(call, plan, { endpoint, outcome }, sentAt);
  return outcome;
}

/**
 * What a try says of its endpoint's health. One that sheds load is well: were
 * it taken for broken, circuits would turn every overload into an outage.
 */
function evidenceOf({ isJoined }: Endpoint, outcome: Attempt): TryOutcome {
  if (!isJoined || outcome.kind !== "response" || outcome.status !== 503) return outcome;
  return reasonOf(outcome.response) === "overload.shed" ? { kind: "response", status: 429 } : outcome;
}

/** Tells balancer and hedging how a try went, if one of them wants to know. */
function learn(call: Call, { pool }: Plan, { endpoint, outcome }: Finish, sentAt: Millis): void {
  const { loadBalancing, hedge } = pool.policy;
  const wantsLatency = loadBalancing.kind === "peak-ewma" || hedge?.quantile !== undefined;
  const isRefusal = loadBalancing.kind === "least-request" && isRefused(outcome);
  if (!wantsLatency && !isRefusal) return;
  const now = call.mesh.ports.now();
  const asked = outcome.kind === "response" ? retryAfterMs(outcome.response.headers, now) : null;
  if (isRefusal) balance.refused(pool.load, endpoint.id, asked, now);
  if (!wantsLatency) return;
  const sample = { id: endpoint.id, latencyMs: now - sentAt, outcome, retryAfterMs: asked };
  balance.record(pool.load, loadBalancing, sample, now);
}

function decide(call: Call, plan: Plan, tries: Tries, outcome: Attempt): retry.RetryDecision {
  const { ports } = call.mesh;
  return retry.decide({
    policy: plan.retry,
    attempt: tries.tried.length,
    outcome,
    headers: outcome.kind === "response" ? outcome.response.headers : null,
    now: ports.now(),
    method: call.request.method,
    canReplay: body.canReplay(tries.body),
    spending: plan.service.traffic.spending,
    random: ports.random,
    remainingMs: timeout.remainingMs(plan.timeouts, call.trail.arrivedAt, ports.now()),
  });
}

/** Runs the inbound half for an endpoint, once for each policy set that protects one; a refusal stays one, too. */
async function admitOnce(
  call: Call,
  plan: Plan,
  endpoint: Endpoint,
  { decided }: Tries,
): Promise<Call | Refusal> {
  if (!call.mesh.settings.enforcesInbound) return call;
  const policy = plan.service.unit.inbound[endpoint.inbound];
  const before = decided.get(policy);
  if (before !== undefined) return before;
  const admitted = await admitTo(call, plan, endpoint);
  const outcome = "kind" in admitted ? admitted : ((await sufferAt(call, plan, endpoint)) ?? admitted);
  decided.set(policy, outcome);
  return outcome;
}

/** Why no endpoint may be used. */
function unavailable(call: Call, plan: Plan): Refusal {
  const probeInMs = circuits.probeInMs(call.mesh, plan.service);
  return probeInMs === null
    ? refuse("endpoint.none", `No endpoint of ${plan.service.id} can be used now.`, 1_000)
    : refuse("circuit.open", `The endpoints of ${plan.service.id} failed too often.`, probeInMs);
}

function conclude(call: Call, plan: Plan, tries: Tries, { endpoint, outcome }: Finish): Answer {
  const { id } = plan.service;
  switch (outcome.kind) {
    case "response":
      keep(call, plan, tries, endpoint);
      return { kind: "response", response: watched(call, plan, outcome.response) };
    case "timeout":
      return refuse("upstream.timeout", `${id} did not answer in time.`);
    case "connect-failure":
      return refuse("upstream.unreachable", `${id} cannot be reached.`);
    case "reset":
      return refuse("upstream.broken", `${id} broke the connection before it answered.`);
  }
}

function watched(call: Call, { timeouts: { idleMs } }: Plan, response: Response): Response {
  return idleMs === undefined ? response : limitSilence(call.mesh.ports, response, idleMs);
}

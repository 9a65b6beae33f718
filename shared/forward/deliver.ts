/**
 * The outbound half: carries a planned call to an endpoint, and tries another
 * one if that is of use.
 *
 * @module
 */
import type { Endpoint } from "../engine/endpoint.ts";
import * as retry from "../engine/retry.ts";
import * as retryBudget from "../engine/retry-budget.ts";
import * as timeout from "../engine/timeout.ts";
import { attempt, discard } from "./attempt.ts";
import type { Attempt } from "./attempt.ts";
import * as body from "./body.ts";
import type { Body } from "./body.ts";
import type { Call } from "./call.ts";
import { admitTo, sufferAt } from "./callee.ts";
import { choose, keep, startChoices } from "./choose.ts";
import type { Choices } from "./choose.ts";
import * as circuits from "./circuits.ts";
import { dress } from "./dress.ts";
import { suffer } from "./faults.ts";
import { mirror } from "./mirrors.ts";
import type { Plan } from "./plan.ts";
import { refuse } from "./refusal.ts";
import type { Answer, Refusal } from "./refusal.ts";

/** The tries of one call so far. */
interface Tries extends Choices {
  readonly body: Body;
  /** Policy sets of the service that have admitted the call. */
  readonly admitted: Set<number>;
}

/** Carries a planned call out. */
export async function deliver(call: Call, plan: Plan): Promise<Answer> {
  const fault = plan.faults.length === 0 ? null : await suffer(call, plan.faults, plan.timeouts);
  if (fault !== null) return dress(call, plan.dressing, [], fault);
  const isMirrored = plan.mirrors.length > 0;
  const held = await body.take(call.request, plan.retry, isMirrored);
  const tries: Tries = { ...startChoices(), body: held, admitted: new Set() };
  if (isMirrored) mirror(call, plan, held);
  retryBudget.deposit(plan.service.traffic.spending, call.mesh.ports.now());
  return dress(call, plan.dressing, tries.fields, await tryUntilDone(call, plan, tries));
}

async function tryUntilDone(call: Call, plan: Plan, tries: Tries): Promise<Answer> {
  for (;;) {
    const endpoint = await choose(call, plan, tries);
    if (endpoint === null) return unavailable(call, plan);
    const refusal = await admitOnce(call, plan, endpoint, tries);
    if (refusal !== null) return refusal;

    const outcome = await tryAt(call, plan, endpoint, tries);
    const decision = decide(call, plan, tries, outcome);
    if (decision.kind === "stop") {
      if (outcome.kind === "response") keep(call, plan, tries, endpoint.id);
      return conclude(plan, outcome);
    }
    discard(outcome);
    call.mesh.state.meter.host.retries += 1;
    retryBudget.withdraw(plan.service.traffic.spending, call.mesh.ports.now());
    if (decision.afterMs > 0) await call.mesh.ports.sleep(decision.afterMs);
  }
}

async function tryAt(call: Call, plan: Plan, endpoint: Endpoint, tries: Tries): Promise<Attempt> {
  tries.tried.push(endpoint.id);
  call.trail.tries += 1;
  call.trail.endpoint = endpoint.id;
  call.trail.version = endpoint.version;
  const outcome = await attempt(call, plan, endpoint, { body: tries.body, control: null });
  circuits.settle(call.mesh, plan, endpoint.id, outcome);
  return outcome;
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

/** Runs the inbound half for an endpoint, once for each policy set that protects one of the service's. */
async function admitOnce(call: Call, plan: Plan, endpoint: Endpoint, tries: Tries): Promise<Refusal | null> {
  if (!call.mesh.settings.enforcesInbound || tries.admitted.has(endpoint.inbound)) return null;
  tries.admitted.add(endpoint.inbound);
  return (await admitTo(call, plan, endpoint)) ?? (await sufferAt(call, plan, endpoint));
}

/** Why no endpoint may be used. */
function unavailable(call: Call, plan: Plan): Refusal {
  const probeInMs = circuits.probeInMs(call.mesh, plan.service);
  return probeInMs === null
    ? refuse("endpoint.none", `No endpoint of ${plan.service.id} can be used now.`, 1_000)
    : refuse("circuit.open", `The endpoints of ${plan.service.id} failed too often.`, probeInMs);
}

function conclude(plan: Plan, outcome: Attempt): Answer {
  const { id } = plan.service;
  switch (outcome.kind) {
    case "response":
      return { kind: "response", response: outcome.response };
    case "timeout":
      return refuse("upstream.timeout", `${id} did not answer in time.`);
    case "connect-failure":
      return refuse("upstream.unreachable", `${id} cannot be reached.`);
    case "reset":
      return refuse("upstream.broken", `${id} broke the connection before it answered.`);
  }
}

/**
 * The outbound half: carries a planned call to an endpoint, and tries another
 * one if that is of use.
 *
 * @module
 */
import * as balance from "../engine/balance.ts";
import { usable, withoutTried } from "../engine/endpoint.ts";
import type { Endpoint } from "../engine/endpoint.ts";
import * as filter from "../engine/filter.ts";
import * as retry from "../engine/retry.ts";
import * as retryBudget from "../engine/retry-budget.ts";
import * as timeout from "../engine/timeout.ts";
import { attempt, discard } from "./attempt.ts";
import type { Attempt } from "./attempt.ts";
import * as body from "./body.ts";
import type { Body } from "./body.ts";
import type { Call } from "./call.ts";
import * as circuits from "./circuits.ts";
import { admit } from "./inbound.ts";
import { hostOf } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { refuse } from "./refusal.ts";
import type { Answer, Refusal } from "./refusal.ts";

/** The tries of one call so far. */
interface Tries {
  readonly body: Body;
  readonly tried: string[];
  /** Policy sets of the service that have admitted the call. */
  readonly admitted: Set<number>;
}

/** Carries a planned call out. */
export async function deliver(call: Call, plan: Plan): Promise<Answer> {
  const tries: Tries = {
    body: await body.take(call.request, plan.retry),
    tried: [],
    admitted: new Set(),
  };
  retryBudget.deposit(plan.service.traffic.spending, call.mesh.ports.now());
  return tryUntilDone(call, plan, tries);
}

async function tryUntilDone(call: Call, plan: Plan, tries: Tries): Promise<Answer> {
  for (;;) {
    const endpoint = await choose(call, plan, tries);
    if (endpoint === null) return unavailable(call, plan);
    const refusal = await admitOnce(call, plan, endpoint, tries);
    if (refusal !== null) return refusal;

    tries.tried.push(endpoint.id);
    call.trail.tries += 1;
    call.trail.endpoint = endpoint.id;
    call.trail.version = endpoint.version;
    const outcome = await attempt(call, plan, endpoint, tries.body);
    circuits.settle(call.mesh, plan.service, endpoint.id, outcome);

    const decision = decide(call, plan, tries, outcome);
    if (decision.kind === "stop") return conclude(plan, outcome);
    discard(outcome);
    call.mesh.state.meter.host.retries += 1;
    retryBudget.withdraw(plan.service.traffic.spending, call.mesh.ports.now());
    if (decision.afterMs > 0) await call.mesh.ports.sleep(decision.afterMs);
  }
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

/** The endpoint for the next try: one not tried before if there is one. `null` when none may be used. */
async function choose(call: Call, plan: Plan, tries: Tries): Promise<Endpoint | null> {
  const { unit, traffic } = plan.service;
  if (plan.pin !== null) return unit.endpoints.find(({ id }) => id === plan.pin) ?? null;
  const { ports } = call.mesh;
  const { rejects } = plan.traffic.circuit;
  const known = { of: (id: string) => traffic.circuits.get(id), rejects };
  let candidates = usable(plan.endpoints, known, plan.traffic.panicRatio, ports.now());
  let last: Endpoint | null = null;
  while (candidates.length > 0) {
    const untried = withoutTried(candidates, tries.tried);
    const picked = balance.pick(untried, plan.traffic.loadBalancing, traffic.load, {
      random: ports.random,
      now: ports.now(),
      hash: null,
      all: plan.endpoints,
    });
    if (picked === null || (await circuits.admit(call.mesh, plan.service, picked.id))) return picked;
    last = picked;
    candidates = candidates.filter((candidate) => candidate !== picked);
  }
  // Someone else has the probe: with no other endpoint left, one that was only to be avoided must do.
  return rejects ? null : last;
}

/** Runs the inbound half for an endpoint, once for each policy set that protects one of the service's. */
async function admitOnce(call: Call, plan: Plan, endpoint: Endpoint, tries: Tries): Promise<Refusal | null> {
  if (!call.mesh.settings.enforcesInbound || tries.admitted.has(endpoint.inbound)) return null;
  const policy = plan.service.unit.inbound[endpoint.inbound];
  // Checked when the unit came in; should it ever be wrong, nobody gets by.
  if (policy === undefined) return refuse("authz.error", "The endpoint's policies are not known.");
  tries.admitted.add(endpoint.inbound);
  const input = {
    caller: call.caller,
    host: hostOf(call, plan),
    port: plan.port,
    method: call.request.method,
    path: plan.path,
    headers: call.headers,
  };
  return admit(call.mesh, policy, input, call.trail);
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
      return { kind: "response", response: edited(outcome.response, plan) };
    case "timeout":
      return refuse("upstream.timeout", `${id} did not answer in time.`);
    case "connect-failure":
      return refuse("upstream.unreachable", `${id} cannot be reached.`);
    case "reset":
      return refuse("upstream.broken", `${id} broke the connection before it answered.`);
  }
}

/** The service's own response, unless a route changes it: wrapping one costs a sixth of a pass-through. */
function edited(response: Response, plan: Plan): Response {
  // A switched connection belongs to the two ends; it has no fields that anybody reads.
  if (plan.responseEdits.length === 0 || response.status === 101) return response;
  const changed = new Response(response.body, response);
  for (const edit of plan.responseEdits) filter.edit(changed.headers, edit);
  return changed;
}

/**
 * Where a try goes: the endpoint of the client's session, else the one that
 * the balancer picks of those that may be used.
 *
 * @module
 */
import * as affinity from "../engine/affinity.ts";
import * as balance from "../engine/balance.ts";
import { usable, withoutTried } from "../engine/endpoint.ts";
import type { Endpoint } from "../engine/endpoint.ts";
import type { Call } from "./call.ts";
import type { Choices } from "./choices.ts";
import * as circuits from "./circuits.ts";
import { hashFor } from "./hash-key.ts";
import { nearest } from "./nearby.ts";
import type { Section } from "./nearby.ts";
import { findingsOf } from "./outliers.ts";
import type { Plan } from "./plan.ts";

/** The endpoint for the next try: one not tried before if there is one. `null` when none may be used. */
export async function choose(call: Call, plan: Plan, choices: Choices): Promise<Endpoint | null> {
  const { service, pool, pin } = plan;
  if (pin !== null) return service.unit.endpoints.find(({ id }) => id === pin) ?? null;
  const { circuit, panicRatio } = pool.policy;
  const now = call.mesh.ports.now();
  const candidates = usable(pool.endpoints, findingsOf(plan, now), panicRatio, now);
  const kept = plan.session === null ? null : keptFor(call, plan, candidates, choices);
  if (kept !== null && (await circuits.admit(call.mesh, plan, kept.id))) return kept;
  const whole = { endpoints: pool.endpoints, usable: candidates };
  let section = (pool.grouping === null ? null : nearest(call, plan, choices, whole)) ?? whole;
  for (let picked = pick(call, plan, section, choices); picked !== null;) {
    if (await circuits.admit(call.mesh, plan, picked.id)) return picked;
    section = { ...section, usable: section.usable.filter((candidate) => candidate !== picked) };
    // Those of other groups must do, before one that was only to be avoided.
    if (section.usable.length === 0 && section.endpoints !== whole.endpoints)
      section = without(whole, section);
    picked = pick(call, plan, section, choices);
  }
  // Someone else has the probe: with no other endpoint left, one that was only to be avoided must do.
  return circuit.rejects ? null : pick(call, plan, whole, choices);
}

function without(whole: Section, { endpoints }: Section): Section {
  return { ...whole, usable: whole.usable.filter((candidate) => !endpoints.includes(candidate)) };
}

/** The endpoint of the client's session with the plan's service, of those that may be used. */
export function sessionAt(
  call: Call,
  { session, service }: Plan,
  endpoints: readonly Endpoint[],
): Endpoint | null {
  if (session === null) return null;
  return affinity.read(session, call.view.headers, { service: service.id, endpoints }, call.mesh.ports.now());
}

/** Notes who answered: a session begins there, or goes on. */
export function keep(call: Call, plan: Plan, choices: Choices, endpoint: Endpoint): void {
  if (plan.session === null) return;
  const now = call.mesh.ports.now();
  const field =
    choices.session === endpoint
      ? affinity.renew(plan.session, call.view.headers, now)
      : affinity.issue(plan.session, plan.service.id, endpoint.id, now);
  if (field !== null) choices.fields.push(field);
}

function pick(call: Call, plan: Plan, { endpoints, usable }: Section, choices: Choices): Endpoint | null {
  const { random, now } = call.mesh.ports;
  const { policy, load } = plan.pool;
  const untried = withoutTried(usable, choices.tried);
  const hash = hashFor(call, policy.loadBalancing, choices);
  return balance.pick(untried, policy.loadBalancing, load, { random, now: now(), hash, all: endpoints });
}

/** The endpoint of the session, at the first try. */
function keptFor(call: Call, plan: Plan, endpoints: readonly Endpoint[], choices: Choices): Endpoint | null {
  if (choices.tried.length > 0) return null;
  const kept = sessionAt(call, plan, endpoints);
  choices.session = kept;
  return kept;
}

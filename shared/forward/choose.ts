/**
 * Where a try goes: the endpoint of the client's session, else the one that
 * the balancer picks of those that may be used.
 *
 * @module
 */
import * as affinity from "../engine/affinity.ts";
import * as balance from "../engine/balance.ts";
import { setCookie } from "../engine/cookie.ts";
import type { Field } from "../engine/cookie.ts";
import { usable, withoutTried } from "../engine/endpoint.ts";
import type { Endpoint } from "../engine/endpoint.ts";
import { hash32, keyOf } from "../engine/hash.ts";
import type { HashKey } from "../engine/hash.ts";
import type { Call } from "./call.ts";
import * as circuits from "./circuits.ts";
import { sourceIpOf } from "./onward.ts";
import type { Plan } from "./plan.ts";

/** What was chosen for a call so far. */
export interface Choices {
  /** Ids of endpoints, in the order of the tries. */
  readonly tried: string[];
  /** Fields for the response: cookies that were made on the way. */
  readonly fields: Field[];
  /** For consistent hashing; `undefined` until it is asked for. */
  hash: number | null | undefined;
  /** Id of the endpoint of the client's session; `null` without one that can be used. */
  session: string | null;
}

/** Nothing chosen yet. */
export function startChoices(): Choices {
  return { tried: [], fields: [], hash: undefined, session: null };
}

/** The endpoint for the next try: one not tried before if there is one. `null` when none may be used. */
export async function choose(call: Call, plan: Plan, choices: Choices): Promise<Endpoint | null> {
  const { service, pool, pin } = plan;
  if (pin !== null) return service.unit.endpoints.find(({ id }) => id === pin) ?? null;
  const { circuit, panicRatio } = pool.policy;
  const known = { of: (id: string) => service.traffic.circuits.get(id), rejects: circuit.rejects };
  let candidates = usable(pool.endpoints, known, panicRatio, call.mesh.ports.now());
  const kept = plan.session === null ? null : keptFor(call, plan, candidates, choices);
  if (kept !== null && (await circuits.admit(call.mesh, plan, kept.id))) return kept;
  let last: Endpoint | null = null;
  while (candidates.length > 0) {
    const picked = pick(call, plan, candidates, choices);
    if (picked === null || (await circuits.admit(call.mesh, plan, picked.id))) return picked;
    last = picked;
    candidates = candidates.filter((candidate) => candidate !== picked);
  }
  // Someone else has the probe: with no other endpoint left, one that was only to be avoided must do.
  return circuit.rejects ? null : last;
}

/** Notes who answered: a session begins there, or goes on. */
export function keep(call: Call, plan: Plan, choices: Choices, endpoint: string): void {
  if (plan.session === null) return;
  const now = call.mesh.ports.now();
  const field =
    choices.session === endpoint
      ? affinity.renew(plan.session, call.view.headers, now)
      : affinity.issue(plan.session, plan.service.id, endpoint, now);
  if (field !== null) choices.fields.push(field);
}

function pick(call: Call, plan: Plan, candidates: readonly Endpoint[], choices: Choices): Endpoint | null {
  const { random, now } = call.mesh.ports;
  const { endpoints, policy, load } = plan.pool;
  const untried = withoutTried(candidates, choices.tried);
  const hash = hashFor(call, policy.loadBalancing, choices);
  return balance.pick(untried, policy.loadBalancing, load, { random, now: now(), hash, all: endpoints });
}

/** The endpoint of the session, at the first try. */
function keptFor(
  call: Call,
  { session, service }: Plan,
  endpoints: readonly Endpoint[],
  choices: Choices,
): Endpoint | null {
  if (session === null || choices.tried.length > 0) return null;
  const place = { service: service.id, endpoints };
  const kept = affinity.read(session, call.view.headers, place, call.mesh.ports.now());
  choices.session = kept === null ? null : kept.id;
  return kept;
}

function hashFor(call: Call, policy: balance.LoadBalancing, choices: Choices): number | null {
  if (policy.kind !== "ring" && policy.kind !== "maglev") return null;
  if (choices.hash === undefined) {
    const text = firstOf(policy.key, call) ?? cookieFor(call, policy, choices);
    choices.hash = text === null ? null : hash32(text);
  }
  return choices.hash;
}

function firstOf(keys: readonly HashKey[], call: Call): string | null {
  for (const key of keys) {
    const text = keyOf(key, call.view, call.client, sourceIpOf(call.headers));
    if (text !== null) return text;
  }
  return null;
}

/** A client without a key gets a cookie as one, if the policy says so: it then comes back to where this call goes. */
function cookieFor(call: Call, { cookie }: balance.Hashing, choices: Choices): string | null {
  if (cookie === undefined) return null;
  const value = call.mesh.ports.random().toString(36).slice(2);
  const { name, path, ttlMs } = cookie;
  choices.fields.push(setCookie({ name, value, path, maxAgeMs: ttlMs === 0 ? null : ttlMs }));
  return value;
}

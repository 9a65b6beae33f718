/**
 * Failover: other services that stand in for one that cannot carry its calls.
 * They are further priorities after all groups of its own endpoints (Envoy).
 *
 * @module
 */
import type { Endpoint } from "../engine/endpoint.ts";
import { climb, DEFAULT_LOCALITY, drawAt, loadsOf } from "../engine/locality.ts";
import type { FailoverTarget } from "../engine/snapshot.ts";
import type { Call } from "./call.ts";
import { hasTried } from "./choices.ts";
import type { Choices } from "./choices.ts";
import { choose, sessionAt } from "./choose.ts";
import { pointFor } from "./hash-key.ts";
import { lookAt } from "./nearby.ts";
import { loadService, portOf } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { poolOf } from "./pool.ts";
import type { LinkedService } from "./view.ts";

/** Where a try goes, and the plan by which: the call's own, or that of a service that stands in. */
export interface Aim {
  readonly plan: Plan;
  readonly endpoint: Endpoint;
}

/** A service that may answer. */
interface Stand {
  readonly plan: Plan;
  readonly usable: readonly Endpoint[];
  /** How much of the calls it is counted on for, 0..1. */
  readonly health: number;
}

/**
 * The endpoint for the next try: of the plan's own pool as far as that can
 * carry the calls, then of those that stand in, in order. Failover of a
 * service that stands in is not followed. `null` when none may be used.
 */
export async function aim(call: Call, plan: Plan, choices: Choices): Promise<Aim | null> {
  const own = ownStand(call, plan, choices);
  const isEnough = own.health >= 1;
  const endpoint = isEnough ? await choose(call, plan, choices) : null;
  if (endpoint !== null) return { plan, endpoint };
  // All of it waits for a probe that another host has: for this call that is as good as nothing.
  const stands = await standsOf(call, isEnough ? { ...own, health: 0 } : own, choices);
  for (const at of inOrder(stands, drawFrom(call, plan, choices, stands))) {
    const endpoint = await choose(call, at, choices);
    if (endpoint !== null) return { plan: at, endpoint };
  }
  return null;
}

/** The call's own service, and as many of those behind it as it takes to carry the calls. */
async function standsOf(call: Call, own: Stand, choices: Choices): Promise<readonly Stand[]> {
  const { plan } = own;
  const stands = [own];
  for (const target of plan.pool.policy.failover ?? []) {
    if (sumOf(stands) >= 1) break;
    const service = await loadService(call.mesh, target.service);
    // One that does not exist, or cannot be loaded now, cannot stand in: the next may.
    if (service.kind === "service") stands.push(standIn(call, movedTo(plan, service, target), choices));
  }
  return stands;
}

/** What recovered is counted on little by little. */
function ownStand(call: Call, plan: Plan, choices: Choices): Stand {
  const { policy, load } = plan.pool;
  const { usable, health } = lookAt(call, plan);
  const { returnMs } = policy.locality ?? DEFAULT_LOCALITY;
  const counted = climb(load.returns.pool, health, returnMs, call.mesh.ports.now());
  return { plan, usable, health: hasTried(choices, usable) ? 0 : counted };
}

function standIn(call: Call, plan: Plan, choices: Choices): Stand {
  const { usable, health } = lookAt(call, plan);
  return { plan, usable, health: hasTried(choices, usable) ? 0 : health };
}

/** The plan for a service that stands in: its own endpoints, policies and balancer; all else is the call's. */
function movedTo(plan: Plan, service: LinkedService, { subset }: FailoverTarget): Plan {
  return { ...plan, service, pool: poolOf(service.pools, subset), port: portOf(service, plan.port) };
}

/** Which one gets the try: where the client's session is, else by what each can carry. */
function drawFrom(call: Call, plan: Plan, choices: Choices, stands: readonly Stand[]): number {
  if (stands.length === 1) return 0;
  const isFirst = plan.session !== null && choices.tried.length === 0;
  const kept = isFirst ? stands.findIndex((each) => sessionAt(call, each.plan, each.usable) !== null) : -1;
  if (kept !== -1) return kept;
  const loads = loadsOf(
    IN_ORDER,
    stands.map(({ health }) => health),
  );
  return drawAt(loads, pointFor(call, plan.pool.policy.loadBalancing, choices, "service"));
}

const IN_ORDER = { kind: "order", list: [] } as const;

/**
 * The plans to try, the one at `first` before all others and then the ones
 * that can carry most. Together they can carry the calls, or panic has its say
 * at each (Envoy).
 */
function inOrder(stands: readonly Stand[], first: number): readonly Plan[] {
  const isEnough = sumOf(stands) >= 1;
  return stands
    .toSorted((a, b) => Number(b === stands[first]) - Number(a === stands[first]) || b.health - a.health)
    .map(({ plan }) => (isEnough && stands.length > 1 ? calmed(plan) : plan));
}

function calmed(plan: Plan): Plan {
  const { pool } = plan;
  return { ...plan, pool: { ...pool, policy: { ...pool.policy, panicRatio: 0 } } };
}

function sumOf(stands: readonly Stand[]): number {
  return stands.reduce((sum, { health }) => sum + health, 0);
}

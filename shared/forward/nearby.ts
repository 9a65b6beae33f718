/**
 * Which of a pool's endpoints a try goes to by where they are: a group of
 * them, of those that the host's place puts in an order or gives shares.
 *
 * @module
 */
import { usable } from "../engine/endpoint.ts";
import type { Endpoint } from "../engine/endpoint.ts";
import { climb, DEFAULT_LOCALITY, drawAt, healthOf, isSteady, loadsOf } from "../engine/locality.ts";
import type { Groups } from "../engine/locality.ts";
import type { Call } from "./call.ts";
import { hasTried } from "./choices.ts";
import type { Choices } from "./choices.ts";
import { pointFor } from "./hash-key.ts";
import { findingsOf } from "./outliers.ts";
import type { Plan } from "./plan.ts";
import { groupsIn } from "./pool.ts";

/** Endpoints that a try may go to. */
export interface Section {
  /** What balancers with tables make them of. */
  readonly endpoints: readonly Endpoint[];
  /** Those of `endpoints` that may be used. */
  readonly usable: readonly Endpoint[];
}

/** What a group of endpoints can do at a moment. */
interface Sight extends Section {
  /** How much of its calls it can carry, 0..1. */
  readonly health: number;
}

/**
 * The group for the next try: one with an endpoint that was not tried yet if
 * there is one. `null` when the pool is not grouped for this host, or nothing
 * of it can be used, so that all of it is alike.
 *
 * `whole` is the pool with panic. While the groups can carry the calls
 * together, only what is usable gets any; when they cannot, the panic
 * threshold holds for each group (Envoy).
 */
export function nearest(call: Call, plan: Plan, choices: Choices, whole: Section): Section | null {
  const { policy, load } = plan.pool;
  const groups = groupsIn(plan.pool, call.mesh.ports.locality());
  if (groups === null) return null;
  const [first] = groups.list;
  // All is well, as nearly always: the first can carry everything.
  const isWell = whole.usable === whole.endpoints && choices.tried.length === 0 && isSteady(load.returns);
  if (isWell && groups.kind === "order" && first !== undefined)
    return { endpoints: first.endpoints, usable: first.endpoints };
  const sights = groups.list.map(({ endpoints }) => look(call, plan, endpoints));
  const loads = loadsAt(call, plan, { groups, sights, choices });
  if (loads === null) return null;
  const section = sights[drawAt(loads, pointFor(call, policy.loadBalancing, choices, "group"))];
  if (section === undefined || !isScarce(groups.kind, sights)) return section ?? null;
  const { endpoints } = section;
  const now = call.mesh.ports.now();
  return { endpoints, usable: usable(endpoints, findingsOf(plan, now), policy.panicRatio, now) };
}

/**
 * What a pool can do at a moment: its groups together, each after the one
 * before it. Of groups with shares none comes after another: they count as one.
 */
export function lookAt(call: Call, plan: Plan): Sight {
  const { endpoints } = plan.pool;
  const groups = groupsIn(plan.pool, call.mesh.ports.locality());
  if (groups === null) return look(call, plan, endpoints);
  if (groups.kind === "shares")
    return look(
      call,
      plan,
      groups.list.flatMap((group) => group.endpoints),
    );
  const sights = groups.list.map((group) => look(call, plan, group.endpoints));
  return { endpoints, usable: sights.flatMap((sight) => sight.usable), health: Math.min(1, sumOf(sights)) };
}

function look(call: Call, plan: Plan, endpoints: readonly Endpoint[]): Sight {
  const { overprovisioning } = plan.pool.policy.locality ?? DEFAULT_LOCALITY;
  // Without panic, and with every circuit in force: what can be used without hope or need.
  const now = call.mesh.ports.now();
  const sound = usable(endpoints, { ...findingsOf(plan, now), rejects: true }, 0, now);
  return { endpoints, usable: sound, health: healthOf(endpoints, sound, overprovisioning) };
}

interface Field {
  readonly groups: Groups;
  readonly sights: readonly Sight[];
  readonly choices: Choices;
}

/** Which part of calls goes to each group; `null` when none has a usable endpoint. */
function loadsAt(call: Call, plan: Plan, { groups, sights, choices }: Field): readonly number[] | null {
  const healths = sights.map(({ health }) => health);
  const counted = groups.list.map(({ key }, at) => countedOn(call, plan, key, healths[at] ?? 0));
  const untried = (each: number, at: number): number => {
    const sight = sights[at];
    return sight === undefined || hasTried(choices, sight.usable) ? 0 : each;
  };
  // What recovers comes back little by little, unless nothing else is left; so does what was tried already.
  for (const carried of [counted.map(untried), healths.map(untried), healths]) {
    if (carried.some((each) => each > 0)) return loadsOf(groups, carried);
  }
  return null;
}

function countedOn(call: Call, { pool }: Plan, key: string, health: number): number {
  const ramp = pool.load.returns.groups.get(key);
  const { returnMs } = pool.policy.locality ?? DEFAULT_LOCALITY;
  return ramp === undefined ? health : climb(ramp, health, returnMs, call.mesh.ports.now());
}

/** Whether calls are more than what can carry them: of groups with shares each that is well can take over. */
function isScarce(kind: Groups["kind"], sights: readonly Sight[]): boolean {
  return kind === "order" ? sumOf(sights) < 1 : sights.every(({ health }) => health < 1);
}

function sumOf(sights: readonly Sight[]): number {
  return sights.reduce((sum, { health }) => sum + health, 0);
}

/**
 * Pools: the endpoints that a call may go to, all of a service's or a
 * subset's, with how they are reached and what this host knows of them.
 *
 * @module
 */
import type { Load } from "../engine/balance.ts";
import type { Bulkhead } from "../engine/concurrency.ts";
import type { Endpoint } from "../engine/endpoint.ts";
import type { ServiceUnit, TrafficPolicy } from "../engine/snapshot.ts";
import type { Random } from "../engine/time.ts";
import { bulkheadOf, loadOf } from "./traffic.ts";
import type { Traffic } from "./traffic.ts";

export interface Pool {
  readonly endpoints: readonly Endpoint[];
  readonly policy: TrafficPolicy;
  readonly load: Load;
  /** Used where the policy limits concurrency. */
  readonly bulkhead: Bulkhead;
}

/** The pools of a service: all of it, and its subsets by name. */
export interface Pools {
  readonly whole: Pool;
  readonly subsets: ReadonlyMap<string, Pool>;
}

/** Links a service's pools. */
export function linkPools(unit: ServiceUnit, traffic: Traffic, random: Random): Pools {
  const subsets = new Map<string, Pool>();
  for (const [name, subset] of Object.entries(unit.subsets)) {
    const ids = new Set(subset.endpoints);
    subsets.set(name, {
      endpoints: unit.endpoints.filter(({ id }) => ids.has(id)),
      policy: subset.traffic ?? unit.traffic,
      load: loadOf(traffic, name, random),
      bulkhead: bulkheadOf(traffic, name),
    });
  }
  const { load, bulkhead } = traffic;
  return { whole: { endpoints: unit.endpoints, policy: unit.traffic, load, bulkhead }, subsets };
}

/** The pool of a backend; one of a subset that does not exist has no endpoints. */
export function poolOf({ whole, subsets }: Pools, subset: string | undefined): Pool {
  if (subset === undefined) return whole;
  return subsets.get(subset) ?? { ...whole, endpoints: [] };
}

/**
 * Pools: the endpoints that a call may go to, all of a service's or a
 * subset's, with how they are reached and what this host knows of them.
 *
 * @module
 */
import type { Load } from "../engine/balance.ts";
import type { Bulkhead } from "../engine/concurrency.ts";
import type { Endpoint } from "../engine/endpoint.ts";
import { DEFAULT_LOCALITY, groupsOf, OTHERS, retainGroups } from "../engine/locality.ts";
import type { Groups, Locality } from "../engine/locality.ts";
import type { Tracker } from "../engine/outlier.ts";
import type { ServiceUnit, TrafficPolicy } from "../engine/snapshot.ts";
import type { Random } from "../engine/time.ts";
import { bulkheadOf, loadOf, trackerOf } from "./traffic.ts";
import type { Traffic } from "./traffic.ts";

export interface Pool {
  readonly endpoints: readonly Endpoint[];
  readonly policy: TrafficPolicy;
  readonly load: Load;
  /** Used where the policy limits concurrency. */
  readonly bulkhead: Bulkhead;
  /** `null` where places do not count: the policy says so, or no endpoint tells its own. */
  readonly grouping: Grouping | null;
  /** What outlier detection has seen; `null` where the policy does without. */
  readonly tracker: Tracker | null;
}

/** How a pool's endpoints are grouped, made when a place is first asked for: a host may learn of its own late. */
export interface Grouping {
  here: Locality | null;
  groups: Groups | null;
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
    const endpoints = unit.endpoints.filter(({ id }) => ids.has(id));
    const policy = subset.traffic ?? unit.traffic;
    const [load, bulkhead] = [loadOf(traffic, name, random), bulkheadOf(traffic, name)];
    const tracker = trackerOf(traffic, name, policy);
    subsets.set(name, linkPool({ endpoints, policy, load, bulkhead, tracker }));
  }
  const { endpoints, traffic: policy } = unit;
  const { load, bulkhead } = traffic;
  const tracker = trackerOf(traffic, "", policy);
  return { whole: linkPool({ endpoints, policy, load, bulkhead, tracker }), subsets };
}

function linkPool(pool: Omit<Pool, "grouping">): Pool {
  const { endpoints, policy, load } = pool;
  const isPlaced =
    policy.locality?.mode !== "none" && endpoints.some(({ locality }) => locality !== undefined);
  // Groups that come later, or again, must not be taken for the first that this host knows.
  if (!isPlaced) retainGroups(load.returns, [OTHERS]);
  return { ...pool, grouping: isPlaced ? { here: null, groups: null } : null };
}

/** The groups of a pool for a host at `here`, made once for each place; `null` when all endpoints are alike. */
export function groupsIn({ endpoints, policy, load, grouping }: Pool, here: Locality | null): Groups | null {
  if (grouping === null || here === null) return null;
  if (grouping.here?.region !== here.region || grouping.here.zone !== here.zone) {
    grouping.here = here;
    grouping.groups = groupsOf(endpoints, policy.locality ?? DEFAULT_LOCALITY, here);
    retainGroups(load.returns, grouping.groups?.list.map(({ key }) => key) ?? [OTHERS]);
  }
  return grouping.groups;
}

/** The pool of a backend; one of a subset that does not exist has no endpoints. */
export function poolOf({ whole, subsets }: Pools, subset: string | undefined): Pool {
  if (subset === undefined) return whole;
  return subsets.get(subset) ?? { ...whole, endpoints: [] };
}

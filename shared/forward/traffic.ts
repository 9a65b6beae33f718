/**
 * What one isolate knows of its own calls to one service: what is in flight,
 * what failed lately, what was tried again. Outlives the service's unit, which configuration
 * replaces.
 *
 * @module
 */
import * as balance from "../engine/balance.ts";
import type { Circuit } from "../engine/circuit.ts";
import { createBulkhead } from "../engine/concurrency.ts";
import type { Bulkhead } from "../engine/concurrency.ts";
import { createSpending } from "../engine/retry-budget.ts";
import type { Spending } from "../engine/retry-budget.ts";
import type { ServiceUnit } from "../engine/snapshot.ts";
import type { Random } from "../engine/time.ts";

export interface Traffic {
  readonly load: balance.Load;
  /** The same for each subset: turns that subsets take from one another would not be even. */
  readonly subsetLoads: Map<string, balance.Load>;
  readonly bulkhead: Bulkhead;
  /** Each subset has its own. */
  readonly subsetBulkheads: Map<string, Bulkhead>;
  /** By endpoint id; an absent circuit is closed. */
  readonly circuits: Map<string, Circuit>;
  /** What tries beyond the first cost the service so far. */
  readonly spending: Spending;
}

/** Nothing in flight, every circuit closed. */
export function quiet(random: Random): Traffic {
  return {
    load: balance.createLoad(random),
    subsetLoads: new Map(),
    bulkhead: createBulkhead(),
    subsetBulkheads: new Map(),
    circuits: new Map(),
    spending: createSpending(),
  };
}

/** The load of a subset, made at first use. */
export function loadOf({ subsetLoads }: Traffic, subset: string, random: Random): balance.Load {
  const known = subsetLoads.get(subset) ?? balance.createLoad(random);
  subsetLoads.set(subset, known);
  return known;
}

/** The bulkhead of a subset, made at first use. */
export function bulkheadOf({ subsetBulkheads }: Traffic, subset: string): Bulkhead {
  const known = subsetBulkheads.get(subset) ?? createBulkhead();
  subsetBulkheads.set(subset, known);
  return known;
}

/** Forgets endpoints and subsets that the service no longer has, so that what comes and goes takes no memory. */
export function retain(traffic: Traffic, { endpoints, subsets }: ServiceUnit): void {
  const ids = new Set(endpoints.map((endpoint) => endpoint.id));
  for (const id of traffic.circuits.keys()) if (!ids.has(id)) traffic.circuits.delete(id);
  balance.retain(traffic.load, endpoints);
  for (const [name, load] of traffic.subsetLoads) {
    if (Object.hasOwn(subsets, name)) balance.retain(load, endpoints);
    else traffic.subsetLoads.delete(name);
  }
  for (const name of traffic.subsetBulkheads.keys())
    if (!Object.hasOwn(subsets, name)) traffic.subsetBulkheads.delete(name);
}

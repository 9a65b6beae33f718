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
import * as outlier from "../engine/outlier.ts";
import type { Tracker } from "../engine/outlier.ts";
import { createSpending } from "../engine/retry-budget.ts";
import type { Spending } from "../engine/retry-budget.ts";
import type { ServiceUnit, TrafficPolicy } from "../engine/snapshot.ts";
import type { Random } from "../engine/time.ts";
import * as outcomes from "./outcomes.ts";
import type { Outcomes } from "./outcomes.ts";

export interface Traffic {
  readonly load: balance.Load;
  /** The same for each subset: turns that subsets take from one another would not be even. */
  readonly subsetLoads: Map<string, balance.Load>;
  readonly bulkhead: Bulkhead;
  /** Each subset has its own. */
  readonly subsetBulkheads: Map<string, Bulkhead>;
  /** By endpoint id; an absent circuit is closed. */
  readonly circuits: Map<string, Circuit>;
  /** What outlier detection has seen, by subset; of all of the service by an empty name. Only where a policy asks for it. */
  readonly trackers: Map<string, Tracker>;
  /** What the mesh has not been told of it. */
  readonly outcomes: Outcomes;
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
    trackers: new Map(),
    outcomes: outcomes.createOutcomes(),
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

/** The tracker of a subset, made at first use; `null` where the policy has no outlier detection. */
export function trackerOf({ trackers }: Traffic, subset: string, policy: TrafficPolicy): Tracker | null {
  if (policy.outlier === undefined) {
    trackers.delete(subset);
    return null;
  }
  const known = trackers.get(subset) ?? outlier.createTracker();
  trackers.set(subset, known);
  return known;
}

/**
 * Closes circuits of endpoints that the shared circuit has brought back: a
 * host got an answer from them, and nobody else need find that out again.
 */
export function welcome({ circuits }: Traffic, before: ServiceUnit, unit: ServiceUnit): void {
  const ejected = new Set(before.endpoints.filter(({ isEjected }) => isEjected).map(({ id }) => id));
  if (ejected.size === 0) return;
  for (const { id, isEjected } of unit.endpoints) if (!isEjected && ejected.has(id)) circuits.delete(id);
}

/** Forgets endpoints and subsets that the service no longer has, so that what comes and goes takes no memory. */
export function retain(traffic: Traffic, { endpoints, subsets }: ServiceUnit): void {
  const ids = new Set(endpoints.map((endpoint) => endpoint.id));
  outcomes.retain(traffic.outcomes, ids);
  for (const [name, tracker] of traffic.trackers) {
    if (name === "" || Object.hasOwn(subsets, name)) outlier.retain(tracker, ids);
    else traffic.trackers.delete(name);
  }
  for (const id of traffic.circuits.keys()) if (!ids.has(id)) traffic.circuits.delete(id);
  balance.retain(traffic.load, endpoints);
  for (const [name, load] of traffic.subsetLoads) {
    if (Object.hasOwn(subsets, name)) balance.retain(load, endpoints);
    else traffic.subsetLoads.delete(name);
  }
  for (const name of traffic.subsetBulkheads.keys())
    if (!Object.hasOwn(subsets, name)) traffic.subsetBulkheads.delete(name);
}

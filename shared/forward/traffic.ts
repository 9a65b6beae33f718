/**
 * What one isolate knows of its own calls to one service: what is in flight,
 * what failed lately, what was tried again. Outlives the service's unit, which configuration
 * replaces.
 *
 * @module
 */
import * as balance from "../engine/balance.ts";
import type { Circuit } from "../engine/circuit.ts";
import type { Endpoint } from "../engine/endpoint.ts";
import { createSpending } from "../engine/retry-budget.ts";
import type { Spending } from "../engine/retry-budget.ts";
import type { Random } from "../engine/time.ts";

export interface Traffic {
  readonly load: balance.Load;
  /** By endpoint id; an absent circuit is closed. */
  readonly circuits: Map<string, Circuit>;
  /** What tries beyond the first cost the service so far. */
  readonly spending: Spending;
}

/** Nothing in flight, every circuit closed. */
export function quiet(random: Random): Traffic {
  return { load: balance.createLoad(random), circuits: new Map(), spending: createSpending() };
}

/** Forgets endpoints that the service no longer has, so that coming and going endpoints take no memory. */
export function retain(traffic: Traffic, endpoints: readonly Endpoint[]): void {
  const ids = new Set(endpoints.map((endpoint) => endpoint.id));
  for (const id of traffic.circuits.keys()) if (!ids.has(id)) traffic.circuits.delete(id);
  balance.retain(traffic.load, endpoints);
}

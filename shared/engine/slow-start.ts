/**
 * Slow start: an endpoint that has just come gets few calls at first, and more
 * as its caches and pools warm up.
 *
 * @module
 */
import type { Endpoint } from "./endpoint.ts";
import type { Millis } from "./time.ts";

export interface SlowStart {
  /** How long an endpoint counts as new. Above 0. */
  readonly windowMs: Millis;
  /** The least share of its weight that a new endpoint has, 0..1. Envoy's and Istio's default is 0.1. */
  readonly minShare: number;
  /** The shape of the ramp: 1 is linear (the default), above it rises fast at first, below it late. Above 0. */
  readonly aggression: number;
}

/**
 * Tells the share of its weight that an endpoint has by its age:
 * `max(minShare, (age / window) ^ (1 / aggression))`, and 1 after the window
 * (Envoy's formula). An age below 0, by clocks that differ, counts as 0.
 */
export function shareAt({ windowMs, minShare, aggression }: SlowStart, ageMs: Millis): number {
  if (ageMs >= windowMs) return 1;
  return Math.max(minShare, (Math.max(0, ageMs) / windowMs) ** (1 / aggression));
}

/**
 * Gives new endpoints the weight of their age. Order is kept; while none is
 * new, the answer is the given array itself. An endpoint without `since` is
 * not new.
 */
export function warm(endpoints: readonly Endpoint[], policy: SlowStart, now: Millis): readonly Endpoint[] {
  if (!endpoints.some(({ since }) => since !== undefined && now - since < policy.windowMs)) return endpoints;
  return endpoints.map((endpoint) => {
    if (endpoint.since === undefined) return endpoint;
    return { ...endpoint, weight: endpoint.weight * shareAt(policy, now - endpoint.since) };
  });
}

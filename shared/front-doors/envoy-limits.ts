/**
 * Envoy's circuit-breaker thresholds, which Istio and Consul hand through,
 * as limits of concurrency.
 *
 * @module
 */
import { present } from "./translation.ts";

/** Envoy's thresholds of a cluster; a field that is left out does not limit. */
export interface EnvoyLimits {
  readonly maxConnections?: number | undefined;
  readonly maxPendingRequests?: number | undefined;
  readonly maxRequests?: number | undefined;
  readonly maxRetries?: number | undefined;
}

/** The most that a policy may say; above it (often Istio's own 2^32 - 1) is no limit. */
const MOST = 1_000_000;

/**
 * A connection carries one call at a time here, as in HTTP/1.1: calls above
 * `maxConnections` wait, those above `maxRequests` are refused at once. With
 * both, the lower one says which. `undefined` when nothing limits.
 */
export function concurrencyOf(limits: EnvoyLimits): object | undefined {
  const maxRequests = Math.min(upTo(limits.maxConnections), upTo(limits.maxRequests));
  const maxRetries = upTo(limits.maxRetries);
  const isLimited = maxRequests <= MOST;
  const fields = present({
    maxRequests: isLimited ? maxRequests : undefined,
    maxPendingRequests: isLimited ? pendingOf(limits) : undefined,
    maxRetries: maxRetries <= MOST ? maxRetries : undefined,
  });
  return Object.keys(fields).length === 0 ? undefined : fields;
}

/** Whether calls may wait: where connections are what they lack first. */
export function queues({ maxConnections, maxRequests }: EnvoyLimits): boolean {
  return upTo(maxConnections) <= Math.min(MOST, upTo(maxRequests));
}

function pendingOf(limits: EnvoyLimits): number | undefined {
  if (!queues(limits)) return 0;
  return limits.maxPendingRequests === undefined ? undefined : Math.min(limits.maxPendingRequests, MOST);
}

function upTo(limit: number | undefined): number {
  return limit === undefined || limit > MOST ? Number.POSITIVE_INFINITY : limit;
}

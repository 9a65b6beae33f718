/**
 * How callers reach a service: the mesh's defaults, and what policies and
 * routes change about them.
 *
 * @module
 */
import type { RetryPolicy } from "../engine/retry.ts";
import type { TrafficPolicy } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import type { Timeouts } from "../engine/timeout.ts";
import { parseDuration } from "../wire/duration.ts";
import type { HttpRule } from "../wire/resources/http-route.ts";
import type { TrafficPolicySpec } from "../wire/resources/traffic-policy.ts";

/**
 * What holds where nothing else is said:
 * - least request of 2 choices, Istio's default in Envoy's default width;
 * - 15 s for a request, Envoy's route time-out;
 * - 2 retries, as many as Istio's, on what most likely reached nobody or a
 *   failing instance; of idempotent calls only, unless nothing was sent;
 * - back-off from 25 ms up to ten times that, and a budget of 20 % but at
 *   least 3, both Envoy's;
 * - 5 failures in a row open a circuit for 30 s: Envoy's `consecutive_5xx`
 *   and `base_ejection_time`;
 * - panic below 50 % of usable endpoints, Envoy's threshold.
 */
export const DEFAULT_TRAFFIC: TrafficPolicy = {
  loadBalancing: { kind: "least-request", choices: 2 },
  timeouts: { requestMs: 15_000 },
  retry: {
    retries: 2,
    on: ["connect-failure", "reset", "gateway-error"],
    statusCodes: [],
    backoff: { baseMs: 25, maxMs: 250 },
    anyMethod: false,
    budget: { ratio: 0.2, minConcurrent: 3 },
  },
  circuit: { failuresToOpen: 5, openForMs: 30_000 },
  panicRatio: 0.5,
};

/** Fills what a TrafficPolicy leaves out from the defaults. */
export function compileTraffic(spec: TrafficPolicySpec): TrafficPolicy {
  const { circuitBreaker, loadBalancer, panicThreshold, timeouts } = spec;
  return {
    loadBalancing:
      loadBalancer?.type === "RoundRobin"
        ? { kind: "round-robin" }
        : { kind: "least-request", choices: loadBalancer?.choiceCount ?? 2 },
    timeouts:
      timeouts === undefined ? DEFAULT_TRAFFIC.timeouts : compileTimeouts(timeouts.request, timeouts.perTry),
    retry: compileRetry(spec.retry),
    circuit: {
      failuresToOpen: circuitBreaker?.consecutiveFailures ?? DEFAULT_TRAFFIC.circuit.failuresToOpen,
      openForMs: parseDuration(circuitBreaker?.openFor ?? "") ?? DEFAULT_TRAFFIC.circuit.openForMs,
    },
    panicRatio: panicThreshold === undefined ? DEFAULT_TRAFFIC.panicRatio : panicThreshold / 100,
  };
}

function compileRetry(spec: TrafficPolicySpec["retry"]): RetryPolicy {
  const defaults = DEFAULT_TRAFFIC.retry;
  const { percent, minConcurrent } = spec?.budget ?? {};
  return {
    retries: spec?.attempts ?? defaults.retries,
    on: spec?.retryOn ?? defaults.on,
    statusCodes: spec?.statusCodes ?? defaults.statusCodes,
    backoff: compileBackoff(spec?.backoff?.base, spec?.backoff?.max),
    anyMethod: spec?.anyMethod ?? defaults.anyMethod,
    budget: {
      ratio: percent === undefined ? defaults.budget.ratio : percent / 100,
      minConcurrent: minConcurrent ?? defaults.budget.minConcurrent,
    },
  };
}

/** Without a maximum ten times the base (Envoy); a maximum below the default base lowers that. */
function compileBackoff(base: string | undefined, max: string | undefined): RetryPolicy["backoff"] {
  const maxMs = parseDuration(max ?? "");
  const baseMs =
    parseDuration(base ?? "") ?? Math.min(DEFAULT_TRAFFIC.retry.backoff.baseMs, maxMs ?? Infinity);
  return { baseMs, maxMs: maxMs ?? baseMs * 10 };
}

/**
 * `0s` means no limit. Where only tries are limited, the request keeps the
 * default limit unless a single try may take longer.
 */
function compileTimeouts(request: string | undefined, perTry: string | undefined): Timeouts {
  const perTryMs = limitOf(perTry);
  const defaultMs = Math.max(DEFAULT_TRAFFIC.timeouts.requestMs ?? 0, perTryMs ?? 0);
  const requestMs = request === undefined ? defaultMs : limitOf(request);
  return {
    ...(requestMs === undefined ? {} : { requestMs }),
    ...(perTryMs === undefined ? {} : { perTryMs }),
  };
}

function limitOf(duration: string | undefined): Millis | undefined {
  const ms = parseDuration(duration ?? "") ?? 0;
  return ms === 0 ? undefined : ms;
}

/** A rule's own time-outs take the place of the service's. */
export function timeoutsOf({ timeouts }: HttpRule): Timeouts | undefined {
  return timeouts === undefined ? undefined : compileTimeouts(timeouts.request, timeouts.backendRequest);
}

/**
 * A rule's own retries take the place of the service's. Gateway API: broken
 * connections and time-outs are retried whenever retries are configured,
 * statuses only those in `codes`.
 */
export function retryOf({ retry }: HttpRule): RetryPolicy | undefined {
  if (retry === undefined) return undefined;
  return {
    ...DEFAULT_TRAFFIC.retry,
    retries: retry.attempts ?? DEFAULT_TRAFFIC.retry.retries,
    on: ["connect-failure", "reset", "timeout"],
    statusCodes: retry.codes,
    backoff: compileBackoff(retry.backoff, undefined),
  };
}

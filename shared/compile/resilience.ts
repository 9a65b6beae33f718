/**
 * What policies say of failing, distant and overloaded endpoints, with
 * defaults filled in.
 *
 * @module
 */
import type { CircuitPolicy } from "../engine/circuit.ts";
import type { ConcurrencyPolicy, Thresholds } from "../engine/concurrency.ts";
import { DEFAULT_LOCALITY, type LocalityPolicy } from "../engine/locality.ts";
import type { OutlierPolicy } from "../engine/outlier.ts";
import type { OverloadPolicy } from "../engine/overload.ts";
import type { FailoverTarget } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import { parseDuration } from "../wire/duration.ts";
import type { TrafficPolicySpec, TrafficSettings } from "../wire/resources/traffic-policy.ts";

type Spec<Field extends keyof TrafficSettings> = NonNullable<TrafficSettings[Field]>;

/** Envoy's 5 in a row; Linkerd's window, longest penalty and jitter. */
export function compileCircuit(spec: Spec<"circuitBreaker">): CircuitPolicy {
  const openForMs = millis(spec.openFor, 5_000);
  const { failureRatio } = spec;
  return {
    failuresToOpen: spec.consecutiveFailures ?? 5,
    openForMs,
    maxOpenForMs: Math.max(openForMs, millis(spec.maxOpenFor, 60_000)),
    jitter: (spec.jitterPercent ?? 50) / 100,
    rejects: spec.rejects ?? true,
    ...(failureRatio === undefined
      ? {}
      : {
          failureRatio: {
            ratio: (failureRatio.percent ?? 50) / 100,
            windowMs: millis(failureRatio.window, 10_000),
            minCalls: failureRatio.minimumCalls ?? 10,
          },
        }),
  };
}

/** Envoy's defaults. */
export function compileOutlier(spec: Spec<"outlierDetection">): OutlierPolicy {
  const baseEjectionMs = millis(spec.baseEjectionTime, 30_000);
  const { successRate, failurePercentage } = spec;
  return {
    intervalMs: millis(spec.interval, 10_000),
    baseEjectionMs,
    maxEjectionMs: Math.max(baseEjectionMs, millis(spec.maxEjectionTime, 300_000)),
    maxEjectedRatio: (spec.maxEjectionPercent ?? 10) / 100,
    consecutive5xx: orOff(spec.consecutive5xxErrors ?? 5),
    consecutiveGatewayErrors: orOff(spec.consecutiveGatewayErrors ?? 0),
    consecutiveLocalFailures: orOff(spec.consecutiveLocalOriginFailures ?? 5),
    splitsLocalFailures: spec.splitExternalLocalOriginErrors ?? false,
    successRate:
      successRate === false
        ? null
        : {
            minEndpoints: successRate?.minimumEndpoints ?? 5,
            minVolume: successRate?.requestVolume ?? 100,
            stdevFactor: successRate?.stdevFactor ?? 1.9,
          },
    failurePercentage:
      failurePercentage === undefined
        ? null
        : {
            threshold: failurePercentage.threshold ?? 85,
            minEndpoints: failurePercentage.minimumEndpoints ?? 5,
            minVolume: failurePercentage.requestVolume ?? 50,
          },
  };
}

/** Envoy's 1024 calls may wait; all else has no limit unless one is set, as in Istio. */
export function compileConcurrency({ high, ...spec }: Spec<"concurrency">): ConcurrencyPolicy {
  const thresholds = compileThresholds(spec);
  return { default: thresholds, high: high === undefined ? thresholds : compileThresholds(high) };
}

function compileThresholds({
  maxRequests,
  maxPendingRequests,
  maxRetries,
}: Omit<Spec<"concurrency">, "high">): Thresholds {
  return {
    maxRequests: maxRequests ?? null,
    maxPending: maxPendingRequests ?? (maxRequests === undefined ? null : 1_024),
    maxRetries: maxRetries ?? null,
  };
}

/** Fills in `DEFAULT_LOCALITY`. */
export function compileLocality(spec: Spec<"locality">): LocalityPolicy {
  const { mode, failover, distribute, overprovisioningPercent, returnOver } = spec;
  return {
    mode: mode === "None" ? "none" : "prefer",
    failover: failover ?? [],
    distribute: (distribute ?? []).map(({ from, to }) => ({
      from,
      to: Object.entries(to).map(([locality, weight]) => ({ locality, weight })),
    })),
    overprovisioning:
      overprovisioningPercent === undefined
        ? DEFAULT_LOCALITY.overprovisioning
        : overprovisioningPercent / 100,
    returnMs: millis(returnOver, DEFAULT_LOCALITY.returnMs),
  };
}

/** Names without a namespace are of the policy's own. */
export function compileFailover(targets: Spec<"failover">, own: string): readonly FailoverTarget[] {
  return targets.map(({ service, namespace, subset }) => ({
    service: `${namespace ?? own}/${service}`,
    ...(subset === undefined ? {} : { subset }),
  }));
}

/** Envoy's defaults, and the intervals of its documentation. */
export function compileOverload(spec: NonNullable<TrafficPolicySpec["overload"]>): OverloadPolicy {
  const minConcurrency = spec.minConcurrency ?? 3;
  return {
    minConcurrency,
    maxConcurrency: Math.max(minConcurrency, spec.maxConcurrency ?? 1_000),
    updateEveryMs: millis(spec.updateInterval, 100),
    measureEveryMs: millis(spec.measureInterval, 60_000),
    measureCalls: spec.measureRequests ?? 50,
    buffer: (spec.bufferPercent ?? 25) / 100,
    percentile: spec.percentile ?? 50,
  };
}

function millis(text: string | undefined, otherwise: Millis): Millis {
  return parseDuration(text ?? "") ?? otherwise;
}

function orOff(count: number): number | null {
  return count === 0 ? null : count;
}

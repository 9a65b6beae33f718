/**
 * What a TrafficPolicy says of failing, distant and overloaded endpoints.
 *
 * @module
 */
import { z } from "zod";
import { parseDuration } from "../duration.ts";
import { label } from "../resource.ts";
import { localityPattern, localityText, positiveDuration, duration, serviceName } from "./fields.ts";

const percent = z.number().min(0).max(100);

/** Turns calls away from endpoints that fail. When it is there and every circuit is open, calls are answered 503. */
export const circuitBreaker = z
  .strictObject({
    /** 5 by default (Envoy). */
    consecutiveFailures: z.int().min(1).max(10_000).optional(),
    /** Opens at a share of failures as well. */
    failureRatio: z
      .strictObject({
        /** 50 by default. */
        percent: z.number().min(1).max(100).optional(),
        /** Over how long calls are counted; 10 s by default (Linkerd). */
        window: positiveDuration.optional(),
        /** Calls within it below which nothing is decided; 10 by default. */
        minimumCalls: z.int().min(1).max(100_000).optional(),
      })
      .optional(),
    /** Until the first probe; 5 s by default. Doubled after each probe that fails. */
    openFor: positiveDuration.optional(),
    /** The longest that doubling leads to; 60 s by default (Linkerd), or `openFor` if that is longer. */
    maxOpenFor: positiveDuration.optional(),
    /** Up to this share is added at random, in percent; 50 by default (Linkerd). */
    jitterPercent: percent.optional(),
    /** True by default. False only steers calls away while other endpoints are left, as where nothing is configured. */
    rejects: z.boolean().optional(),
  })
  .refine(
    ({ openFor, maxOpenFor }) =>
      maxOpenFor === undefined || (parseDuration(openFor ?? "5s") ?? 0) <= (parseDuration(maxOpenFor) ?? 0),
    { path: ["maxOpenFor"], error: "may not be shorter than openFor" },
  );

const failuresInARow = z.int().min(0).max(10_000);

/** Takes endpoints out that fail much more than they should. Off by default; with `{}` all defaults are Envoy's. */
export const outlierDetection = z.strictObject({
  /** From one look at success rates to the next; 10 s by default. */
  interval: positiveDuration.optional(),
  /** Times the number of ejections; 30 s by default. */
  baseEjectionTime: positiveDuration.optional(),
  /** 300 s by default, or `baseEjectionTime` if that is longer. */
  maxEjectionTime: positiveDuration.optional(),
  /** How many endpoints may be out at once; 10 by default, and one always may. */
  maxEjectionPercent: percent.optional(),
  /** 5 by default; 0 turns it off. */
  consecutive5xxErrors: failuresInARow.optional(),
  /** 502, 503 and 504 in a row; off by default. */
  consecutiveGatewayErrors: failuresInARow.optional(),
  /** Counts calls without an answer apart from 5xx; false by default. */
  splitExternalLocalOriginErrors: z.boolean().optional(),
  /** Calls without an answer in a row, where they are counted apart; 5 by default; 0 turns it off. */
  consecutiveLocalOriginFailures: failuresInARow.optional(),
  /** Below the mean success rate minus 1.9 standard deviations. On by default; false turns it off. */
  successRate: z
    .union([
      z.literal(false),
      z.strictObject({
        /** Endpoints with enough calls that it takes; 5 by default. */
        minimumEndpoints: z.int().min(2).max(1_000).optional(),
        /** Calls in an interval; 100 by default. */
        requestVolume: z.int().min(1).max(1_000_000).optional(),
        /** 1.9 by default. */
        stdevFactor: z.number().min(0.1).max(10).optional(),
      }),
    ])
    .optional(),
  /** At this share of failures. Off by default. */
  failurePercentage: z
    .strictObject({
      /** 85 by default. */
      threshold: z.number().min(1).max(100).optional(),
      /** 5 by default. */
      minimumEndpoints: z.int().min(1).max(1_000).optional(),
      /** 50 by default. */
      requestVolume: z.int().min(1).max(1_000_000).optional(),
    })
    .optional(),
});

const count = z.int().min(0).max(1_000_000);

const thresholds = {
  /** Calls in flight; above it, calls wait. No limit by default. */
  maxRequests: z.int().min(1).max(1_000_000).optional(),
  /** Calls that wait; above it, calls are refused with 503. 1024 by default (Envoy); 0 refuses all that would wait. */
  maxPendingRequests: count.optional(),
  /** Retries in flight, besides the retry budget. No limit by default. */
  maxRetries: count.optional(),
};

/** How much one host sends to the service at once. Each isolate of an edge or Worker is a host. */
export const concurrencyLimits = z
  .strictObject({
    ...thresholds,
    /** For calls of routes with priority High, which are counted apart; the same limits by default. */
    high: z.strictObject(thresholds).optional(),
  })
  .refine(
    ({ maxRequests, maxPendingRequests }) => maxPendingRequests === undefined || maxRequests !== undefined,
    { path: ["maxPendingRequests"], error: "needs maxRequests: nothing waits without it" },
  );

/** How calls are spread over regions and zones of endpoints that name theirs. */
export const localityPolicy = z
  .strictObject({
    /** Prefer by default: the host's own zone, then its region, then all others. */
    mode: z.enum(["Prefer", "None"]).optional(),
    /** Which region comes after the host's own (Istio). */
    failover: z
      .array(z.strictObject({ from: localityText, to: localityText }))
      .max(64)
      .optional(),
    /** Shares in percent by the host's place, in place of preference (Istio). */
    distribute: z
      .array(
        z.strictObject({
          from: localityPattern,
          to: z
            .record(localityPattern, z.int().min(1).max(100))
            .refine(
              (shares) => Object.values(shares).reduce((sum, share) => sum + share, 0) === 100,
              "shares must sum to 100",
            ),
        }),
      )
      .max(64)
      .optional(),
    /** How many percent of its healthy share a group of endpoints carries; 140 by default (Envoy). */
    overprovisioningPercent: z.int().min(100).max(1_000).optional(),
    /** How long calls take to come back in full to a place that recovered; 10 s by default. */
    returnOver: duration.optional(),
  })
  .refine(({ distribute, failover }) => distribute === undefined || failover === undefined, {
    path: ["failover"],
    error: "goes without distribute: shares leave no order",
  });

/** Other services, or subsets, that stand in when too few endpoints are left; in order. */
export const failoverTargets = z
  .array(
    z.strictObject({
      service: serviceName,
      /** The policy's own by default. */
      namespace: label.optional(),
      subset: label.optional(),
    }),
  )
  .min(1)
  .max(8);

/** Protects a workload that runs the mesh library: refuses calls with 503 once its latency grows with its load. */
export const overload = z.strictObject({
  /** 3 by default (Envoy). */
  minConcurrency: z.int().min(1).max(100_000).optional(),
  /** 1,000 by default (Envoy). */
  maxConcurrency: z.int().min(1).max(100_000).optional(),
  /** How often the limit is computed; 100 ms by default. */
  updateInterval: positiveDuration.optional(),
  /** How often the minimum latency is measured anew; 60 s by default. */
  measureInterval: positiveDuration.optional(),
  /** Calls that the measure takes; 50 by default (Envoy). */
  measureRequests: z.int().min(1).max(10_000).optional(),
  /** How much above the minimum the latency may be, in percent of it; 25 by default (Envoy). */
  bufferPercent: z.number().min(0).max(1_000).optional(),
  /** Which latency is looked at, in percent of calls; 50 by default (Envoy). */
  percentile: z.number().min(1).max(99).optional(),
});

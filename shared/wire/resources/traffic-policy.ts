/**
 * `selvedge.dev/v1 TrafficPolicy`: how callers reach a service, and what goes
 * with routes and gateways beyond their own kinds. What is left out keeps the
 * mesh's default.
 *
 * @module
 */
import { z } from "zod";
import { parseDuration } from "../duration.ts";
import { label } from "../resource.ts";
import {
  duration,
  headerName,
  labels,
  positiveDuration,
  RETRY_CONDITIONS,
  targetRefs,
  unique,
} from "./fields.ts";
import { healthCheck } from "./health-check.ts";
import { checkName, keyName, loadBalancer } from "./load-balancer.ts";
import {
  circuitBreaker,
  concurrencyLimits,
  failoverTargets,
  localityPolicy,
  outlierDetection,
  overload,
} from "./resilience.ts";
import { sessionPersistence } from "./session-persistence.ts";

/** The mesh keeps count by whole seconds, for a minute. */
const budgetWindow = positiveDuration.refine(
  (text) => {
    const ms = parseDuration(text) ?? 0;
    return ms % 1_000 === 0 && ms >= 1_000 && ms <= 60_000;
  },
  { error: "must be whole seconds from 1s to 60s" },
);

const retry = z.strictObject({
  /** Retries, not tries; 0 turns them off. 2 by default, as many as Istio's. */
  attempts: z.int().min(0).max(10).optional(),
  retryOn: z.array(z.enum([...RETRY_CONDITIONS, "retriable-headers"])).optional(),
  statusCodes: z.array(z.int().min(400).max(599)).max(64).optional(),
  /** Headers of which one in a response makes it retriable, with `retriable-headers` in `retryOn`. */
  retriableHeaders: z
    .array(headerName.transform((name) => name.toLowerCase()))
    .max(16)
    .optional(),
  /** Waits at random up to `base`, doubled for each retry and `max` at most; 25 ms and ten times `base` (Envoy). */
  backoff: z
    .strictObject({ base: positiveDuration.optional(), max: positiveDuration.optional() })
    .refine(
      ({ base, max }) => max === undefined || (parseDuration(base ?? "") ?? 0) <= (parseDuration(max) ?? 0),
      {
        path: ["max"],
        error: "may not be shorter than base",
      },
    )
    .optional(),
  budget: z
    .strictObject({
      /** Retries in percent of first tries within the window; 20 by default (Linkerd). */
      percent: z.number().min(0).max(100).optional(),
      /** Retries a second that are allowed at any rate; 10 by default (Linkerd). */
      minPerSecond: z.int().min(0).max(10_000).optional(),
      /** Over how long both are counted, from 1 s to 60 s in whole seconds; 10 s by default (Linkerd). */
      window: budgetWindow.optional(),
    })
    .optional(),
  /** Retries methods that are not idempotent, too. */
  anyMethod: z.boolean().optional(),
});

const hedging = z
  .strictObject({
    /** How long a call waits for its answer before it is sent once more; with `quantile` the least such time. */
    after: positiveDuration.optional(),
    /** Waits for this quantile of the service's latencies, in percent, once 100 calls tell it. */
    quantile: z.number().min(50).max(99.99).optional(),
    /** Tries beside the first; 1 by default. */
    max: z.int().min(1).max(4).optional(),
  })
  .refine(({ after, quantile }) => after !== undefined || quantile !== undefined, {
    error: "needs after or quantile",
  });

/** What can be said of a service, and of each of its subsets. */
const settings = {
  loadBalancer: loadBalancer.optional(),
  /** New endpoints get their share of calls little by little. Not with RingHash or Maglev. */
  slowStart: z
    .strictObject({
      window: positiveDuration,
      /** The share to begin with; 10 by default (Envoy, Istio). */
      minimumPercent: z.number().min(0.1).max(100).optional(),
      /** 1 by default, a straight line; above it the share rises fast at first, below it late. */
      aggression: z.number().min(0.1).max(10).optional(),
    })
    .optional(),
  sessionPersistence: sessionPersistence.optional(),
  retry: retry.optional(),
  /** `0s` means no limit. */
  timeouts: z
    .strictObject({
      /** From arrival to response headers, retries included; 15 s by default (Envoy). */
      request: duration.optional(),
      perTry: duration.optional(),
      /** Until a connection stands, where the host connects itself. */
      connect: duration.optional(),
      /** The longest silence of a response that has begun. */
      idle: duration.optional(),
    })
    .optional(),
  /** Sends idempotent calls once more when an answer is late. Off by default. */
  hedging: hedging.optional(),
  circuitBreaker: circuitBreaker.optional(),
  outlierDetection: outlierDetection.optional(),
  concurrency: concurrencyLimits.optional(),
  locality: localityPolicy.optional(),
  failover: failoverTargets.optional(),
  /** In percent of usable endpoints, below which all are used; 50 by default (Envoy), 0 turns panic off. */
  panicThreshold: z.number().min(0).max(100).optional(),
};

const SETTINGS = Object.keys(settings);

interface Balanced {
  readonly loadBalancer?: { readonly type: string } | undefined;
  readonly slowStart?: unknown;
}

function warmsUp({ loadBalancer, slowStart }: Balanced): boolean {
  const type = loadBalancer?.type;
  return slowStart === undefined || (type !== "RingHash" && type !== "Maglev");
}

const NO_SLOW_START = {
  path: ["slowStart"],
  error: "does not go with RingHash or Maglev: keys would move twice",
};

const subset = z
  .strictObject({
    name: label,
    /** Endpoints with all of these labels. */
    labels: labels.refine(
      (wanted) => Object.keys(wanted).length > 0,
      "must name a label, such as version: v2",
    ),
    ...settings,
  })
  .refine(warmsUp, NO_SLOW_START);

/** The fields that go with each kind of target. */
const FIELDS_OF: Readonly<Record<string, readonly string[]>> = {
  Service: [...SETTINGS, "subsets", "healthCheck", "overload"],
  HTTPRoute: ["split", "priority"],
  Gateway: ["pathNormalization"],
};

export const trafficPolicySpec = z
  .strictObject({
    /** Services of the namespace; HTTPRoutes for `split`; Gateways, or listeners of them, for `pathNormalization`. */
    targetRefs: targetRefs(
      {
        Service: "",
        HTTPRoute: "gateway.networking.k8s.io",
        Gateway: "gateway.networking.k8s.io",
      },
      ["Gateway"],
    ),
    ...settings,
    /** Some of a service's endpoints by labels, for routes to send to; what a subset sets takes the service's place. */
    subsets: z
      .array(subset)
      .min(1)
      .max(64)
      .superRefine(unique(({ name }) => name, ["name"]))
      .optional(),
    /** Asks a service's endpoints whether they are well. Off by default. */
    healthCheck: healthCheck.optional(),
    /** Protects joined Workers of a service from more calls than they can work on. Off by default. */
    overload: overload.optional(),
    /** Which of a route's calls go first when not all can. `Default` unless given. */
    priority: z.enum(["High", "Default", "Low"]).optional(),
    /** How a route's calls are split between its backends. */
    split: z
      .strictObject({
        /** Calls with the same key go to the same backend; one without a key goes to any. */
        stickyBy: z
          .strictObject({
            type: z.enum(["Header", "Cookie", "Caller", "Claim", "SourceIP"]),
            name: keyName.optional(),
          })
          .superRefine(checkName),
      })
      .optional(),
    /** How paths are made canonical before anything compares them; Strict by default. Levels of Istio. */
    pathNormalization: z.enum(["Strict", "None", "Base", "MergeSlashes", "DecodeAndMergeSlashes"]).optional(),
  })
  .refine(warmsUp, NO_SLOW_START)
  .superRefine((spec, context) => {
    const present = new Set(
      Object.entries(spec).flatMap(([field, value]) => (value === undefined ? [] : [field])),
    );
    for (const [kind, fields] of Object.entries(FIELDS_OF)) {
      if (spec.targetRefs.every((target) => target.kind === kind)) continue;
      for (const field of fields) {
        if (!present.has(field)) continue;
        context.addIssue({
          code: "custom",
          path: [field],
          message: `goes with targets of kind ${kind} only`,
        });
      }
    }
  });

export type TrafficPolicySpec = z.output<typeof trafficPolicySpec>;

/** What is said of a service or a subset. */
export type TrafficSettings = Pick<
  TrafficPolicySpec,
  Extract<keyof typeof settings, keyof TrafficPolicySpec>
>;

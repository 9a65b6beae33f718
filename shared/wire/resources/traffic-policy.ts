/**
 * `selvedge.dev/v1 TrafficPolicy`: how callers reach a service. What is left
 * out keeps the mesh's default.
 *
 * @module
 */
import { z } from "zod";
import { parseDuration } from "../duration.ts";
import { duration, positiveDuration, targetRefs } from "./fields.ts";

const loadBalancer = z
  .strictObject({
    type: z.enum(["RoundRobin", "LeastRequest"]).default("LeastRequest"),
    /** Endpoints drawn for each choice. Envoy's limit below is 2. */
    choiceCount: z.int().min(2).max(100).optional(),
  })
  .refine(({ type, choiceCount }) => type === "LeastRequest" || choiceCount === undefined, {
    path: ["choiceCount"],
    error: "goes with type: LeastRequest only",
  });

const retry = z.strictObject({
  /** Retries, not tries; 0 turns them off. */
  attempts: z.int().min(0).max(10).optional(),
  retryOn: z.array(z.enum(["connect-failure", "reset", "timeout", "gateway-error", "5xx"])).optional(),
  statusCodes: z.array(z.int().min(400).max(599)).max(64).optional(),
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
      /** Retries in flight in percent of requests in flight. */
      percent: z.number().min(0).max(100).optional(),
      minConcurrent: z.int().min(0).max(10_000).optional(),
    })
    .optional(),
  /** Retries methods that are not idempotent, too. */
  anyMethod: z.boolean().optional(),
});

/** Of two policies for one service the older decides, and alone (Gateway API's rule for conflicts). */
export const trafficPolicySpec = z.strictObject({
  targetRefs: targetRefs({ Service: "" }),
  loadBalancer: loadBalancer.optional(),
  retry: retry.optional(),
  /** `0s` means no limit. */
  timeouts: z.strictObject({ request: duration.optional(), perTry: duration.optional() }).optional(),
  circuitBreaker: z
    .strictObject({
      consecutiveFailures: z.int().min(1).max(10_000).optional(),
      openFor: positiveDuration.optional(),
    })
    .optional(),
  /** In percent of usable endpoints; 0 turns panic off. */
  panicThreshold: z.number().min(0).max(100).optional(),
});

export type TrafficPolicySpec = z.output<typeof trafficPolicySpec>;

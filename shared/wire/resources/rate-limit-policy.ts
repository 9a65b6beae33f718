/**
 * `selvedge.dev/v1 RateLimitPolicy`: how often a service may be called.
 *
 * @module
 */
import { z } from "zod";
import { headerName, positiveDuration, targetRefs } from "./fields.ts";

const keyPart = z
  .strictObject({
    type: z.enum(["Caller", "Method", "Path", "Header"]),
    name: headerName.optional(),
  })
  .refine(({ type, name }) => (type === "Header") === (name !== undefined), {
    path: ["name"],
    error: "goes with type: Header, and only with it",
  });

const limit = z.strictObject({
  /** `Local` counts in each isolate and costs nothing; `Strict` counts once for the mesh and asks an object. */
  mode: z.enum(["Local", "Strict"]).default("Local"),
  requests: z.int().min(1).max(1_000_000_000),
  per: positiveDuration.default("1s"),
  /** Calls admitted at once after a quiet time. As many as `requests` unless given. */
  burst: z.int().min(1).max(1_000_000_000).optional(),
  /** Calls that differ in a part have buckets of their own; empty: one bucket for all. */
  key: z.array(keyPart).max(8).default([]),
  /** For `Strict`: what happens while the count cannot be reached. Envoy's rate limit service fails open, too. */
  whenUnavailable: z.enum(["Allow", "Deny"]).default("Allow"),
});

/** All limits of all policies at a service hold; the first that is exceeded refuses the call. */
export const rateLimitPolicySpec = z.strictObject({
  targetRefs: targetRefs({ Service: "" }),
  limits: z.array(limit).min(1).max(16),
});

export type RateLimitPolicySpec = z.output<typeof rateLimitPolicySpec>;

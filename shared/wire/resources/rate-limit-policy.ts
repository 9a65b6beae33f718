/**
 * `selvedge.dev/v1 RateLimitPolicy`: how often a service may be called.
 *
 * @module
 */
import { z } from "zod";
import { parseDuration } from "../duration.ts";
import { headerName, positiveDuration, targetRefs } from "./fields.ts";

/** Types of parts that have a name. */
const NAMED: readonly string[] = ["Header", "Query", "Claim"];

const keyPart = z
  .strictObject({
    type: z.enum(["Caller", "Method", "Path", "RemoteAddress", "Header", "Query", "Claim"]),
    name: z.string().min(1).max(256).optional(),
  })
  .refine(({ type, name }) => NAMED.includes(type) === (name !== undefined), {
    path: ["name"],
    error: "goes with type: Header, Query or Claim, and only with them",
  })
  .refine(({ type, name }) => type !== "Header" || name === undefined || headerName.safeParse(name).success, {
    path: ["name"],
    error: "a header name holds letters, digits and !#$%&'*+-.^_`|~ only (RFC 9110)",
  });

/** A property of the host's `env`, as wrangler names bindings. */
const bindingName = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_]{0,62}$/,
    "write the name of a rate-limit binding: letters, digits and '_', beginning with a letter",
  );

/** More a second cannot be told apart in a number of milliseconds since the epoch. */
const MAX_LEASED_PER_MS = 1_000;

/** Leased calls live as long as a burst lasts: shorter, they would be gone before they reach the isolate. */
const MIN_BURST_MS = 500;

const limit = z
  .strictObject({
    /**
     * `Local` counts in each isolate and costs nothing; `Leased` counts once
     * for the mesh and asks an object now and then, `Strict` for every call.
     */
    mode: z.enum(["Local", "Leased", "Strict"]).default("Local"),
    requests: z.int().min(1).max(1_000_000_000),
    per: positiveDuration.default("1s"),
    /** Calls admitted at once after a quiet time. As many as `requests` unless given. */
    burst: z.int().min(1).max(1_000_000_000).optional(),
    /** Calls that differ in a part have buckets of their own; empty: one bucket for all. */
    key: z.array(keyPart).max(8).default([]),
    /** What happens while the count cannot be reached. Envoy's rate limit service fails open, too. */
    whenUnavailable: z.enum(["Allow", "Deny"]).default("Allow"),
    /** A rate-limit binding of the Worker that enforces the policy: must admit a call as well, where it exists. */
    binding: bindingName.optional(),
    /** Decides and counts, but refuses nobody (Envoy's shadow mode). */
    shadow: z.boolean().default(false),
  })
  .refine(({ mode, requests, per }) => mode !== "Leased" || requests <= MAX_LEASED_PER_MS * millisOf(per), {
    path: ["requests"],
    error: "mode: Leased counts up to 1,000,000 calls a second",
  })
  .refine(
    ({ mode, requests, per, burst = requests }) =>
      mode !== "Leased" || burst * millisOf(per) >= MIN_BURST_MS * requests,
    {
      path: ["burst"],
      error: "mode: Leased needs a burst of at least what passes in 500ms; raise it, or write mode: Strict",
    },
  );

/** What is not a duration has been refused already. */
function millisOf(per: string): number {
  return parseDuration(per) ?? 1;
}

/** All limits of all policies at a service hold; the first that is exceeded refuses the call. */
export const rateLimitPolicySpec = z.strictObject({
  targetRefs: targetRefs({ Service: "" }),
  limits: z.array(limit).min(1).max(16),
  /**
   * Admitted calls learn what is left, too (`RateLimit`, `RateLimit-Policy`).
   * Off unless asked for: it tells strangers of the limit, and an answer that
   * gets fields of the mesh has to be copied.
   */
  headers: z.boolean().default(false),
});

export type RateLimitPolicySpec = z.output<typeof rateLimitPolicySpec>;

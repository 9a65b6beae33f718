/**
 * `selvedge.dev/v1 FaultPolicy`: what goes wrong on purpose, and until when.
 *
 * @module
 */
import { z } from "zod";
import { duration, positiveDuration, targetRefs } from "./fields.ts";
import { headerMatches } from "./match-fields.ts";
import { abort, from, percentage } from "./route-extensions.ts";

/** Requests with all of the headers, of any of the callers; every request when nothing is said. */
const match = z.strictObject({ headers: headerMatches, from: from.optional() });

const delay = z.strictObject({
  fixed: duration,
  /** Up to so much more, evenly spread. */
  jitter: duration.default("0s"),
  percentage,
});

const fault = z
  .strictObject({
    match: match.default({ headers: [] }),
    delay: delay.optional(),
    abort: abort.optional(),
  })
  .refine(({ delay, abort }) => delay !== undefined || abort !== undefined, {
    error: "takes delay, abort or both",
  });

/**
 * All faults of all policies at a target count, in the order of the policies'
 * names: the first delay that is drawn and the first abort.
 */
export const faultPolicySpec = z
  .strictObject({
    /** Services of the namespace, whoever calls them; HTTPRoutes, for the requests that they route. */
    targetRefs: targetRefs({ Service: "", HTTPRoute: "gateway.networking.k8s.io" }),
    /** From the policy's creation on: a change of it does not prolong it. */
    expiresAfter: positiveDuration.optional(),
    expiresAt: z.iso
      .datetime({ offset: true, error: "write a time such as 2026-01-31T12:00:00Z (RFC 3339)" })
      .optional(),
    faults: z.array(fault).min(1).max(16),
  })
  .refine(({ expiresAfter, expiresAt }) => (expiresAfter === undefined) !== (expiresAt === undefined), {
    path: ["expiresAfter"],
    error: "give either expiresAfter or expiresAt: a fault that nobody remembers must end by itself",
  });

export type FaultPolicySpec = z.output<typeof faultPolicySpec>;

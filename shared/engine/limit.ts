/**
 * Rate limits by the generic cell rate algorithm (GCRA): one timestamp per
 * key, no background refill, equal to a token bucket.
 *
 * @module
 */
import type { Millis } from "./time.ts";

export interface Rate {
  /** Calls admitted per `perMs` in the long run. At least 1. */
  readonly requests: number;
  readonly perMs: Millis;
  /** Calls admitted at once after a quiet time. At least 1. */
  readonly burst: number;
}

/** One part of a limit's key. A request that lacks the part shares one bucket with all that lack it. */
export type KeyPart =
  | { readonly kind: "caller" }
  | { readonly kind: "method" }
  | { readonly kind: "path" }
  | { readonly kind: "header"; readonly name: string };

export interface RateLimit {
  /** `namespace/name` of the policy. */
  readonly policy: string;
  /** `local`: one bucket per isolate, no call. `strict`: one bucket for the mesh, one object call per request. */
  readonly mode: "local" | "strict";
  readonly rate: Rate;
  readonly key: readonly KeyPart[];
  /** What a `strict` limit does while its object cannot be reached. */
  readonly whenUnavailable: "allow" | "deny";
}

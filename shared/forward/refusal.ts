/**
 * Answers that the mesh gives itself, on their way to the caller.
 *
 * @module
 */
import type { Problem, ProblemCode } from "../wire/problem.ts";

/** A problem as the answer to a call, with the response headers that its status asks for. */
export interface Refusal {
  readonly kind: "refusal";
  readonly problem: Problem;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Instead of the code's own. */
  readonly status?: number;
  /** Told as gRPC tells it: status 200, and this one in a header. */
  readonly grpcStatus?: number;
}

/** What became of a call. */
export type Answer = { readonly kind: "response"; readonly response: Response } | Refusal;

/** Refuses a call. `detail` is read by the caller: what to check, nothing internal. */
export function refuse(code: ProblemCode, detail: string, retryAfterMs?: number): Refusal {
  const problem = retryAfterMs === undefined ? { code, detail } : { code, detail, retryAfterMs };
  return { kind: "refusal", problem, headers: [] };
}

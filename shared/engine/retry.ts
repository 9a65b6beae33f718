/**
 * Retries: whether a failed try is tried again, when, and within what budget.
 *
 * @module
 */
import type { Millis, Random } from "./time.ts";

/**
 * What counts as worth another try. `connect-failure`: nothing was sent;
 * `reset`: the connection broke before response headers, or was never made;
 * `timeout`: the per-try time-out ran out; `gateway-error`: 502, 503, 504;
 * `5xx`: all of 500 to 599. The last two cover a try without a response as
 * well, since the caller would see it as 502 or 504 (as in Envoy).
 */
export type RetryCondition = "connect-failure" | "reset" | "timeout" | "gateway-error" | "5xx";

export interface RetryBudget {
  /**
   * Retries in flight as a share of the requests in flight that are in their
   * first try, 0..1: a service that always fails sees at most `1 + ratio`
   * times its load. Envoy's default is 0.2, of all requests in flight.
   */
  readonly ratio: number;
  /** Retries in flight that are always allowed. Envoy's default is 3. */
  readonly minConcurrent: number;
}

export interface RetryPolicy {
  /** Tries after the first. 0 turns retries off. */
  readonly retries: number;
  readonly on: readonly RetryCondition[];
  /** Upstream statuses that are retried besides those of `on`. */
  readonly statusCodes: readonly number[];
  /** Full-jitter exponential back-off: try n waits up to `min(maxMs, baseMs * 2^(n-1))`. */
  readonly backoff: { readonly baseMs: Millis; readonly maxMs: Millis };
  /** Retries calls of any method. Otherwise only idempotent ones (RFC 9110 §9.2.2) and connect failures. */
  readonly anyMethod: boolean;
  readonly budget: RetryBudget;
}

/** How one try ended. */
export type TryOutcome =
  | { readonly kind: "response"; readonly status: number }
  /** Nothing was sent. */
  | { readonly kind: "connect-failure" }
  | { readonly kind: "reset" }
  | { readonly kind: "timeout" };

export interface RetryInput {
  readonly policy: RetryPolicy;
  /** The number of the try that ended, from 1. */
  readonly attempt: number;
  readonly outcome: TryOutcome;
  readonly method: string;
  /** The request has no body, or it is held in memory. */
  readonly canReplay: boolean;
  /**
   * The service's requests in flight in this host, this one and those being
   * retried included, and how many of them are being retried, back-off
   * included. This one counts among the latter only while it makes another
   * try, that is not when `decide` is asked.
   */
  readonly budget: { readonly active: number; readonly retrying: number };
  readonly random: Random;
  /** What is left of the whole request; `null` is no limit. */
  readonly remainingMs: Millis | null;
}

export type RetryDecision =
  | { readonly kind: "retry"; readonly afterMs: Millis }
  | { readonly kind: "stop"; readonly why: StopReason };

/** Why there is no other try; `success` is any status below 400 that the policy does not list. */
export type StopReason = "success" | "not-retriable" | "method" | "body" | "attempts" | "budget" | "deadline";

const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/** Decides whether a method may be sent twice without harm (RFC 9110 §9.2.2). */
export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method);
}

/**
 * Decides whether a try is followed by another one, and after what pause.
 *
 * A connect failure is retried for every method, since nothing was sent; but
 * like any other only if the body can be sent again. A retry that could start
 * only after the deadline is not begun.
 */
export function decide(input: RetryInput): RetryDecision {
  const why = obstacle(input);
  if (why !== null) return { kind: "stop", why };

  const afterMs = backoffMs(input.policy, input.attempt, input.random);
  return input.remainingMs !== null && afterMs >= input.remainingMs
    ? { kind: "stop", why: "deadline" }
    : { kind: "retry", afterMs };
}

function obstacle({ policy, attempt, outcome, method, canReplay, budget }: RetryInput): StopReason | null {
  if (!isRetriable(policy, outcome)) {
    return outcome.kind === "response" && outcome.status < 400 ? "success" : "not-retriable";
  }
  const isSafe = policy.anyMethod || outcome.kind === "connect-failure" || isIdempotent(method);
  if (!isSafe) return "method";
  if (!canReplay) return "body";
  if (attempt > policy.retries) return "attempts";
  return isWithin(policy.budget, budget) ? null : "budget";
}

function isRetriable(policy: RetryPolicy, outcome: TryOutcome): boolean {
  if (outcome.kind === "response") return isRetriableStatus(policy, outcome.status);
  return policy.on.some((condition) => COVERED[condition].includes(outcome.kind));
}

/** The tries without a response that each condition covers. */
const COVERED: Readonly<Record<RetryCondition, readonly TryOutcome["kind"][]>> = {
  "connect-failure": ["connect-failure"],
  reset: ["connect-failure", "reset"],
  timeout: ["timeout"],
  "gateway-error": ["connect-failure", "reset", "timeout"],
  "5xx": ["connect-failure", "reset", "timeout"],
};

function isRetriableStatus(policy: RetryPolicy, status: number): boolean {
  if (policy.statusCodes.includes(status)) return true;
  if (policy.on.includes("5xx") && status >= 500 && status <= 599) return true;
  return policy.on.includes("gateway-error") && status >= 502 && status <= 504;
}

/** Whether one more retry keeps within the budget. */
function isWithin(budget: RetryBudget, { active, retrying }: RetryInput["budget"]): boolean {
  const others = active - retrying - 1;
  return retrying + 1 <= Math.max(budget.minConcurrent, budget.ratio * others);
}

/** Full jitter, in whole milliseconds: `[0, min(maxMs, baseMs * 2^(attempt-1)))`, as Envoy draws it. */
function backoffMs({ backoff }: RetryPolicy, attempt: number, random: Random): Millis {
  return Math.floor(random() * Math.min(backoff.maxMs, backoff.baseMs * 2 ** (attempt - 1)));
}

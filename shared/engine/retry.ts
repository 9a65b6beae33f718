/**
 * Retries: whether a failed try is tried again, when, and within what budget.
 *
 * @module
 */
import type { HeaderReader } from "./request.ts";
import { retryAfterMs } from "./retry-after.ts";
import * as retryBudget from "./retry-budget.ts";
import type { RetryBudget, Spending } from "./retry-budget.ts";
import type { Millis, Random } from "./time.ts";

/**
 * What counts as worth another try, in Envoy's words:
 * - `connect-failure`: nothing was sent;
 * - `reset`: the connection broke before response headers, or was never made;
 * - `timeout`: the per-try time-out ran out;
 * - `gateway-error`: 502, 503, 504; `5xx`: all of 500 to 599. Both cover a try
 *   without a response as well, since the caller would see it as 502 or 504;
 * - `retriable-4xx`: 409, which a later try may resolve;
 * - `rate-limited`: 429, after the time that it asks for;
 * - `retriable-headers`: a response with one of the policy's `headers`;
 * - the rest: the status in `grpc-status` of a gRPC response without messages,
 *   which carries it in its headers.
 *
 * Envoy's `refused-stream` and `reset-before-request` cannot be told from a
 * reset over fetch.
 */
export type RetryCondition =
  | "connect-failure"
  | "reset"
  | "timeout"
  | "gateway-error"
  | "5xx"
  | "retriable-4xx"
  | "rate-limited"
  | "retriable-headers"
  | GrpcCondition;

export type GrpcCondition =
  | "cancelled"
  | "deadline-exceeded"
  | "internal"
  | "resource-exhausted"
  | "unavailable";

export interface RetryPolicy {
  /** Tries after the first. 0 turns retries off. */
  readonly retries: number;
  readonly on: readonly RetryCondition[];
  /** Upstream statuses that are retried besides those of `on`. */
  readonly statusCodes: readonly number[];
  /** Names, in lower case, of which one in a response makes it retriable with `retriable-headers`. */
  readonly headers: readonly string[];
  /**
   * Full-jitter exponential back-off: try n waits up to `min(maxMs, baseMs * 2^(n-1))`,
   * but at least `minMs` (Gateway API's `retry.backoff`); absent: 0.
   */
  readonly backoff: { readonly baseMs: Millis; readonly maxMs: Millis; readonly minMs?: Millis };
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

/** What a host that retries tells the next one, so that the latter does not: tries would multiply. */
export const RETRY_HEADER = "x-selvedge-retry";

/** The value of `RETRY_HEADER` that says so. */
export const RETRY_OWNED = "owned";

/** The policy of a call at this host: no retries when an earlier host of the mesh makes them. */
export function scoped(policy: RetryPolicy, header: string | null): RetryPolicy {
  return header === RETRY_OWNED ? { ...policy, retries: 0 } : policy;
}

/** Whether this host tells the next one that it retries. */
export function owns(policy: RetryPolicy): boolean {
  return policy.retries > 0;
}

export interface RetryInput {
  readonly policy: RetryPolicy;
  /** The number of the try that ended, from 1. */
  readonly attempt: number;
  readonly outcome: TryOutcome;
  /** Of the response; `null` when there was none. */
  readonly headers: HeaderReader | null;
  /** The time of day: for the budget, and for a `Retry-After` that is a date. */
  readonly now: Millis;
  readonly method: string;
  /** The request has no body, or it is held in memory. */
  readonly canReplay: boolean;
  /** What this host has spent of the service's budget. */
  readonly spending: Spending;
  readonly random: Random;
  /** What is left of the whole request; `null` is no limit. */
  readonly remainingMs: Millis | null;
}

export type RetryDecision =
  | { readonly kind: "retry"; readonly afterMs: Millis }
  | { readonly kind: "stop"; readonly why: StopReason };

/**
 * Why there is no other try; `success` is any status below 400 that the policy
 * does not list, `later`: the response asks for a longer wait than anybody has.
 */
export type StopReason =
  | "success"
  | "not-retriable"
  | "method"
  | "body"
  | "attempts"
  | "budget"
  | "later"
  | "deadline";

const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/** Decides whether a method may be sent twice without harm (RFC 9110 §9.2.2). */
export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method);
}

/** The longest wait that a `Retry-After` may ask for: Envoy's `rate_limited_retry_back_off` ends there, too. */
const MAX_RETRY_AFTER_MS = 300_000;

/**
 * Decides whether a try is followed by another one, and after what pause: the
 * back-off, or what the response asks for by `Retry-After` if that is longer.
 *
 * A connect failure is retried for every method, since nothing was sent; but
 * like any other only if the body can be sent again. A retry that could start
 * only after the deadline is not begun.
 */
export function decide(input: RetryInput): RetryDecision {
  const why = obstacle(input);
  if (why !== null) return { kind: "stop", why };

  const askedMs = input.headers === null ? 0 : (retryAfterMs(input.headers, input.now) ?? 0);
  if (askedMs > MAX_RETRY_AFTER_MS) return { kind: "stop", why: "later" };
  const afterMs = Math.max(askedMs, backoffMs(input.policy, input.attempt, input.random));
  return input.remainingMs !== null && afterMs >= input.remainingMs
    ? { kind: "stop", why: "deadline" }
    : { kind: "retry", afterMs };
}

function obstacle(input: RetryInput): StopReason | null {
  const { policy, attempt, outcome, method, canReplay, spending, now } = input;
  if (!isRetriable(policy, outcome, input.headers)) {
    return outcome.kind === "response" && outcome.status < 400 ? "success" : "not-retriable";
  }
  const isSafe = policy.anyMethod || outcome.kind === "connect-failure" || isIdempotent(method);
  if (!isSafe) return "method";
  if (!canReplay) return "body";
  if (attempt > policy.retries) return "attempts";
  return retryBudget.isWithin(policy.budget, spending, now) ? null : "budget";
}

function isRetriable(policy: RetryPolicy, outcome: TryOutcome, headers: HeaderReader | null): boolean {
  const { kind } = outcome;
  if (kind !== "response") return policy.on.some((condition) => COVERED[condition]?.includes(kind) === true);
  return (
    policy.statusCodes.includes(outcome.status) ||
    policy.on.some((condition) => isAmong(condition, outcome.status)) ||
    (headers !== null && hasRetriableHeader(policy, headers))
  );
}

function isAmong(condition: RetryCondition, status: number): boolean {
  const [first, last] = STATUSES[condition] ?? [1, 0];
  return first <= status && status <= last;
}

function hasRetriableHeader({ on, headers: names }: RetryPolicy, headers: HeaderReader): boolean {
  if (on.includes("retriable-headers") && names.some((name) => headers.get(name) !== null)) return true;
  const grpcStatus = headers.get("grpc-status");
  return grpcStatus !== null && on.some((condition) => GRPC_STATUS[condition] === grpcStatus);
}

const NO_RESPONSE = ["connect-failure", "reset", "timeout"] as const;

/** The tries without a response that a condition covers. */
const COVERED: Readonly<Partial<Record<RetryCondition, readonly TryOutcome["kind"][]>>> = {
  "connect-failure": ["connect-failure"],
  reset: ["connect-failure", "reset"],
  timeout: ["timeout"],
  "gateway-error": NO_RESPONSE,
  "5xx": NO_RESPONSE,
};

/** The statuses that a condition covers, from the first to the last. */
const STATUSES: Readonly<Partial<Record<RetryCondition, readonly [first: number, last: number]>>> = {
  "gateway-error": [502, 504],
  "5xx": [500, 599],
  "retriable-4xx": [409, 409],
  "rate-limited": [429, 429],
};

/** The numbers of gRPC's statuses. */
const GRPC_STATUS: Readonly<Partial<Record<RetryCondition, string>>> = {
  cancelled: "1",
  "deadline-exceeded": "4",
  "resource-exhausted": "8",
  internal: "13",
  unavailable: "14",
};

/** Full jitter, in whole milliseconds: `[0, min(maxMs, baseMs * 2^(attempt-1)))`, as Envoy draws it, from `minMs` up. */
function backoffMs({ backoff }: RetryPolicy, attempt: number, random: Random): Millis {
  const waitMs = Math.floor(random() * Math.min(backoff.maxMs, backoff.baseMs * 2 ** (attempt - 1)));
  return Math.max(waitMs, backoff.minMs ?? 0);
}

import { expect, test } from "vitest";
import type { HeaderReader } from "../../shared/engine/request.ts";
import * as retry from "../../shared/engine/retry.ts";
import { spent } from "./spendings.ts";
import { oneOf, seeded } from "./random.ts";

const T = Date.UTC(2026, 0, 1);

const headers = (fields: Readonly<Record<string, string>>): HeaderReader => new Headers(fields);

const POLICY: retry.RetryPolicy = {
  retries: 2,
  on: ["connect-failure", "gateway-error"],
  statusCodes: [],
  headers: [],
  backoff: { baseMs: 25, maxMs: 250 },
  anyMethod: false,
  budget: { ratio: 0.2, minPerSecond: 10, windowMs: 10_000 },
};

const input = (changes: Partial<retry.RetryInput> = {}): retry.RetryInput => ({
  policy: POLICY,
  attempt: 1,
  outcome: { kind: "response", status: 503 },
  headers: headers({}),
  now: T,
  method: "GET",
  canReplay: true,
  spending: spent(1, 0, T),
  random: () => 0.5,
  remainingMs: 15_000,
  ...changes,
});

const on = (...conditions: retry.RetryCondition[]): retry.RetryPolicy => ({ ...POLICY, on: conditions });
const status = (code: number): retry.TryOutcome => ({ kind: "response", status: code });
const CONNECT: retry.TryOutcome = { kind: "connect-failure" };
const RESET: retry.TryOutcome = { kind: "reset" };
const TIMEOUT: retry.TryOutcome = { kind: "timeout" };

const again = (afterMs: number): retry.RetryDecision => ({ kind: "retry", afterMs });
const stop = (why: retry.StopReason): retry.RetryDecision => ({ kind: "stop", why });

test.each<[string, Partial<retry.RetryInput>, retry.RetryDecision]>([
  ["a gateway error", {}, again(12)],
  ["a success", { outcome: status(200) }, stop("success")],
  ["a redirect", { outcome: status(304) }, stop("success")],
  ["the caller's fault", { outcome: status(404) }, stop("not-retriable")],
  ["429 unless listed", { outcome: status(429), policy: on("5xx") }, stop("not-retriable")],
  ["429 listed", { outcome: status(429), policy: { ...POLICY, statusCodes: [429] } }, again(12)],
  [
    "a success that is listed",
    { outcome: status(202), policy: { ...POLICY, statusCodes: [202] } },
    again(12),
  ],
  ["a broken connection under a POST", { outcome: RESET, method: "POST" }, stop("method")],
  [
    "a POST that any method may follow",
    { method: "POST", policy: { ...POLICY, anyMethod: true } },
    again(12),
  ],
  ["a POST that was never sent", { outcome: CONNECT, method: "POST" }, again(12)],
  ["never sent, but the body is gone", { outcome: CONNECT, canReplay: false }, stop("body")],
  ["a body that is gone", { method: "PUT", canReplay: false }, stop("body")],
  ["a method in lower case is another one", { method: "get" }, stop("method")],
  ["the last try but one", { attempt: 2 }, again(25)],
  ["the limit itself", { attempt: 3 }, stop("attempts")],
  ["retries off", { policy: { ...POLICY, retries: 0 } }, stop("attempts")],
  ["no deadline", { remainingMs: null }, again(12)],
  ["one millisecond left after the pause", { remainingMs: 13 }, again(12)],
  ["no time left after the pause", { remainingMs: 12 }, stop("deadline")],
  ["expired", { remainingMs: 0, random: () => 0 }, stop("deadline")],
  ["the last retry of the budget", { spending: spent(300, 59, T) }, again(12)],
  ["the budget is spent", { spending: spent(300, 60, T) }, stop("budget")],
  [
    "no floor and nobody else in flight",
    { policy: { ...POLICY, budget: { ratio: 0.2, minPerSecond: 0, windowMs: 10_000 } } },
    stop("budget"),
  ],
])("%s", (_name, changes, expected) => {
  expect(retry.decide(input(changes))).toEqual(expected);
});

test.each<[retry.RetryCondition, retried: retry.TryOutcome[]]>([
  ["connect-failure", [CONNECT]],
  ["reset", [CONNECT, RESET]],
  ["timeout", [TIMEOUT]],
  ["gateway-error", [CONNECT, RESET, TIMEOUT, status(502), status(503), status(504)]],
  [
    "5xx",
    [CONNECT, RESET, TIMEOUT, status(500), status(501), status(502), status(503), status(504), status(599)],
  ],
  ["retriable-4xx", [status(409)]],
  ["rate-limited", [status(429)]],
  ["retriable-headers", []],
  ["unavailable", []],
])("%s covers %o", (condition, retried) => {
  const statuses = [200, 400, 408, 409, 429, 499, 500, 501, 502, 503, 504, 599].map(status);
  const outcomes = [CONNECT, RESET, TIMEOUT, ...statuses];
  const covered = outcomes.filter(
    (outcome) => retry.decide(input({ policy: on(condition), outcome })).kind === "retry",
  );
  expect(covered).toEqual(retried);
});

test.each<[retry.RetryCondition, string]>([
  ["cancelled", "1"],
  ["deadline-exceeded", "4"],
  ["resource-exhausted", "8"],
  ["internal", "13"],
  ["unavailable", "14"],
])("%s is the gRPC status %s of a response without messages", (condition, code) => {
  const policy = { ...on(condition), anyMethod: true };
  const outcome = status(200);
  const retried = ["0", "1", "2", "4", "8", "13", "14", ""].filter(
    (given) =>
      retry.decide(input({ policy, outcome, method: "POST", headers: headers({ "grpc-status": given }) }))
        .kind === "retry",
  );
  expect(retried).toEqual([code]);
});

test.each<[string, retry.RetryPolicy, Record<string, string>, retry.RetryDecision]>([
  [
    "a header that is named",
    { ...on("retriable-headers"), headers: ["x-again"] },
    { "X-Again": "" },
    again(12),
  ],
  ["another one", { ...on("retriable-headers"), headers: ["x-again"] }, { "x-other": "1" }, stop("success")],
  [
    "a header without the condition",
    { ...on("5xx"), headers: ["x-again"] },
    { "x-again": "1" },
    stop("success"),
  ],
])("retriable-headers: %s", (_name, policy, fields, expected) => {
  expect(retry.decide(input({ policy, outcome: status(200), headers: headers(fields) }))).toEqual(expected);
});

test.each<[retryAfter: string, remainingMs: number | null, retry.RetryDecision]>([
  ["2", 15_000, again(2000)],
  ["0", 15_000, again(12)],
  ["Thu, 01 Jan 2026 00:00:03 GMT", 15_000, again(3000)],
  ["Wed, 31 Dec 2025 23:59:59 GMT", 15_000, again(12)],
  ["soon", 15_000, again(12)],
  ["15", 15_000, stop("deadline")],
  ["300", null, again(300_000)],
  ["301", null, stop("later")],
])("Retry-After: %s with %s ms left", (retryAfter, remainingMs, expected) => {
  const fields = headers({ "retry-after": retryAfter });
  const outcome = status(429);
  const policy = on("rate-limited");
  expect(retry.decide(input({ policy, outcome, headers: fields, remainingMs }))).toEqual(expected);
});

test.each([
  [null, 2, true],
  ["owned", 0, false],
  ["something else", 2, true],
])("of two hosts one retries: told %s", (told, retries, owns) => {
  const policy = retry.scoped(POLICY, told);
  expect([policy, retry.owns(policy)]).toEqual([{ ...POLICY, retries }, owns]);
});

test("a code that is listed is one that the upstream sent, not one that the mesh made", () => {
  const policy = { ...on(), statusCodes: [502, 504] };
  expect(retry.decide(input({ policy, outcome: RESET }))).toEqual(stop("not-retriable"));
  expect(retry.decide(input({ policy, outcome: TIMEOUT }))).toEqual(stop("not-retriable"));
});

test.each(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])("%s is idempotent", (method) => {
  expect(retry.isIdempotent(method)).toBe(true);
});

test.each(["POST", "PATCH", "CONNECT", "get", ""])("%s is not", (method) => {
  expect(retry.isIdempotent(method)).toBe(false);
});

test.each([
  [{ baseMs: 25, maxMs: 250 }, [25, 50, 100, 200, 250, 250]],
  [{ baseMs: 100, maxMs: 1200 }, [100, 200, 400, 800, 1200, 1200]],
  [{ baseMs: 0, maxMs: 250 }, [0, 0, 0, 0, 0, 0]],
])("back-off %o is drawn below %o", (backoff, bounds) => {
  const policy = { ...POLICY, retries: 2000, backoff };
  const pauses = (random: () => number): unknown[] =>
    bounds.map((_bound, index) =>
      retry.decide(input({ policy, attempt: index + 1, random, remainingMs: null })),
    );
  expect(pauses(() => 0)).toEqual(bounds.map(() => again(0)));
  expect(pauses(() => 0.5)).toEqual(bounds.map((bound) => again(Math.floor(bound / 2))));
  expect(pauses(() => 1 - 2 ** -53)).toEqual(bounds.map((bound) => again(Math.max(0, bound - 1))));
});

test.each([
  [1, 0, 100],
  [1, 0.75, 150],
  [2, 0.1, 100],
  [2, 0.5, 200],
])("pause %i is never below the least wait (chance %d)", (attempt, chance, pauseMs) => {
  const policy = { ...POLICY, retries: 9, backoff: { baseMs: 200, maxMs: 1000, minMs: 100 } };
  expect(retry.decide(input({ policy, attempt, random: () => chance, remainingMs: null }))).toEqual(
    again(pauseMs),
  );
});

test("the thousandth pause is still within its bound", () => {
  const policy = { ...POLICY, retries: 2000 };
  expect(retry.decide(input({ policy, attempt: 2000 }))).toEqual(again(125));
});

test("never a retry beyond the limits, whatever comes together", () => {
  const random = seeded(2);
  for (let round = 0; round < 5000; round++) {
    const drawn = input({
      attempt: 1 + Math.floor(random() * 5),
      outcome: oneOf(random, [CONNECT, RESET, TIMEOUT, status(200), status(429), status(503)]),
      method: oneOf(random, ["GET", "POST", "PUT"]),
      canReplay: random() < 0.7,
      spending: spent(Math.floor(random() * 50), Math.floor(random() * 60), T),
      random,
      remainingMs: oneOf(random, [null, 0, 10, 100, 1000]),
    });
    const decision = retry.decide(drawn);
    const isLimited =
      drawn.attempt > 2 ||
      !drawn.canReplay ||
      (drawn.method === "POST" && drawn.outcome.kind !== "connect-failure") ||
      (drawn.outcome.kind === "response" && drawn.outcome.status < 500);
    expect(isLimited && decision.kind === "retry").toBe(false);
    const pauseMs = decision.kind === "retry" ? decision.afterMs : 0;
    expect(pauseMs).toBeLessThanOrEqual(50);
    expect(decision.kind === "stop" || drawn.remainingMs === null || pauseMs < drawn.remainingMs).toBe(true);
  }
});

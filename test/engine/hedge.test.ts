import { expect, test } from "vitest";
import * as hedge from "../../shared/engine/hedge.ts";
import { add, createSketch, type Sketch } from "../../shared/engine/sketch.ts";
import { spent } from "./spendings.ts";

const FIXED: hedge.HedgePolicy = { afterMs: 50, max: 2 };
const TAIL: hedge.HedgePolicy = { afterMs: 20, quantile: 0.95, max: 1 };

/** Of `calls` calls one in ten took `slowMs`, the others 10 ms. */
function latencies(calls: number, slowMs: number): Sketch {
  const sketch = createSketch();
  for (let call = 0; call < calls; call++) add(sketch, call % 10 === 0 ? slowMs : 10);
  return sketch;
}

const input = (changes: Partial<hedge.HedgeInput> = {}): hedge.HedgeInput => ({
  policy: FIXED,
  budget: { ratio: 0.2, minPerSecond: 10, windowMs: 10_000 },
  spending: spent(1, 0, 0),
  now: 0,
  method: "GET",
  canReplay: true,
  hedges: 0,
  waitedMs: 0,
  remainingMs: 15_000,
  latencies: createSketch(),
  ...changes,
});

const wait = (forMs: number): hedge.HedgeDecision => ({ kind: "wait", forMs });
const stop = (why: hedge.HedgeStop): hedge.HedgeDecision => ({ kind: "stop", why });
const SEND: hedge.HedgeDecision = { kind: "send" };

test.each<[string, Partial<hedge.HedgeInput>, hedge.HedgeDecision]>([
  ["a try starts", {}, wait(50)],
  ["a timer that fires early", { waitedMs: 49 }, wait(1)],
  ["the limit itself", { waitedMs: 50 }, SEND],
  ["a clock that steps back", { waitedMs: -50 }, wait(100)],
  ["the last hedge", { hedges: 1, waitedMs: 50 }, SEND],
  ["no more", { hedges: 2, waitedMs: 50 }, stop("attempts")],
  ["a POST is never hedged", { method: "POST" }, stop("method")],
  ["a body that is gone", { method: "PUT", canReplay: false }, stop("body")],
  ["it would start at the deadline", { remainingMs: 50 }, stop("deadline")],
  ["it would start just before the deadline", { remainingMs: 51 }, wait(50)],
  ["no time is left", { waitedMs: 50, remainingMs: 0 }, stop("deadline")],
  ["no deadline", { remainingMs: null }, wait(50)],
  ["the budget is spent by retries", { waitedMs: 50, spending: spent(5, 50, 0) }, stop("budget")],
  ["the budget does not matter before", { spending: spent(5, 50, 0) }, wait(50)],
  ["a share of many", { waitedMs: 50, spending: spent(300, 59, 0) }, SEND],
  ["too few calls for a quantile", { policy: TAIL, latencies: latencies(99, 400) }, stop("unknown")],
  ["the least wait", { policy: TAIL, latencies: latencies(1000, 10) }, wait(20)],
])("%s", (_name, changes, expected) => {
  expect(hedge.decide(input(changes))).toEqual(expected);
});

test("waits for the quantile of latencies", () => {
  const decision = hedge.decide(input({ policy: TAIL, latencies: latencies(1000, 400) }));
  const forMs = decision.kind === "wait" ? decision.forMs : 0;
  expect(Math.abs(forMs / 400 - 1)).toBeLessThan(0.06);
});

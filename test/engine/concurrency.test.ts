import { expect, test } from "vitest";
import * as concurrency from "../../shared/engine/concurrency.ts";
import type { Lane, Thresholds, Ticket } from "../../shared/engine/concurrency.ts";
import type { Slot } from "../../shared/engine/slot.ts";
import { seeded } from "./random.ts";

const LIMITS: Thresholds = { maxRequests: 2, maxPending: 2, maxRetries: 1 };
const HOUR = 3_600_000;

function lane(): Lane {
  return concurrency.createBulkhead().default;
}

/** What calls that come one after the other find. */
function arrivals(own: Lane, limits: Thresholds, count: number): string[] {
  return Array.from({ length: count }, () => concurrency.arrive(own, limits, { now: 0, until: HOUR }).kind);
}

function ticketOf(own: Lane, now = 0): Ticket {
  const arrival = concurrency.arrive(own, LIMITS, { now, until: now + HOUR });
  if (arrival.kind !== "wait") throw new Error("it did not have to wait");
  return arrival.ticket;
}

/** A lane of which every slot is taken. */
function full(until = HOUR): { own: Lane; slots: Slot[] } {
  const own = lane();
  const slots = [0, 1].map(() => {
    const arrival = concurrency.arrive(own, LIMITS, { now: 0, until });
    if (arrival.kind !== "enter") throw new Error("there was no slot");
    return arrival.slot;
  });
  return { own, slots };
}

test.each<[string, Partial<Thresholds>, string[]]>([
  ["the limit itself", {}, ["enter", "enter", "wait", "wait", "refuse"]],
  ["nobody may wait", { maxPending: 0 }, ["enter", "enter", "refuse", "refuse", "refuse"]],
  ["any number may wait", { maxPending: null }, ["enter", "enter", "wait", "wait", "wait"]],
  ["no limit", { maxRequests: null }, ["enter", "enter", "enter", "enter", "enter"]],
])("takes calls in up to %s", (_name, changes, expected) => {
  expect(arrivals(lane(), { ...LIMITS, ...changes }, 5)).toEqual(expected);
});

test("priorities have lanes of their own, but low shares that of default", () => {
  const bulkhead = concurrency.createBulkhead();
  const lanes = (["default", "low", "high"] as const).map((priority) => concurrency.of(bulkhead, priority));
  expect([lanes[0] === lanes[1], lanes[0] === lanes[2]]).toEqual([true, false]);
});

test("whoever comes while others wait stands behind them, though a slot is free", () => {
  const { own, slots } = full();
  const first = ticketOf(own);
  for (const slot of slots.slice(0, 1)) concurrency.leave(own, slot);

  const second = ticketOf(own);

  expect(concurrency.look(own, LIMITS, second, { now: 1, until: HOUR })).toEqual({
    kind: "wait",
    forMs: 2.5,
  });
  expect(concurrency.look(own, LIMITS, first, { now: 1, until: HOUR }).kind).toBe("enter");
});

test.each([
  [0, 2],
  [1, 2.5],
  [100, 52],
  [1_000, 250],
])("the one with %i before it looks again after %f ms", (before, forMs) => {
  const { own } = full();
  const limits = { ...LIMITS, maxPending: null };
  for (let each = 0; each < before; each++) concurrency.arrive(own, limits, { now: 0, until: HOUR });
  const arrival = concurrency.arrive(own, limits, { now: 0, until: HOUR });
  const turn =
    arrival.kind === "wait" && concurrency.look(own, limits, arrival.ticket, { now: 0, until: HOUR });
  expect(turn).toEqual({ kind: "wait", forMs });
});

test("a call that gives up holds up nobody, and gives up nothing of others", () => {
  const { own, slots } = full();
  const [first, second] = [ticketOf(own), ticketOf(own)];
  concurrency.giveUp(own, first);
  concurrency.giveUp(own, first);
  for (const slot of slots) {
    concurrency.leave(own, slot);
    concurrency.leave(own, slot);
  }
  expect(concurrency.look(own, LIMITS, second, { now: 0, until: HOUR }).kind).toBe("enter");
  expect(own.inFlight.size).toBe(1);
});

test("a call that does not look any more is passed over after a second", () => {
  const { own, slots } = full();
  ticketOf(own);
  const second = ticketOf(own);
  concurrency.leave(own, slots[0] ?? { until: 0 });
  const look = (now: number) => concurrency.look(own, LIMITS, second, { now, until: HOUR }).kind;
  expect([look(0), look(1_000), look(1_001)]).toEqual(["wait", "wait", "enter"]);
});

test("one that was passed over while its host stood still is the first", () => {
  const { own, slots } = full();
  const slow = ticketOf(own);
  const other = ticketOf(own, 2_000);
  expect(own.waiting).toEqual([other]);
  concurrency.leave(own, slots[0] ?? { until: 0 });
  expect(concurrency.look(own, LIMITS, slow, { now: 2_000, until: HOUR }).kind).toBe("enter");
});

test("a lost answer keeps its slot no longer than the call may last", () => {
  const { own } = full(500);
  const ticket = ticketOf(own);
  const look = (now: number) => concurrency.look(own, LIMITS, ticket, { now, until: HOUR }).kind;
  expect([look(499), look(500)]).toEqual(["wait", "enter"]);
});

test("counts retries up to their limit", () => {
  const own = lane();
  const start = (now: number, limits = LIMITS) =>
    concurrency.startRetry(own, limits, { now, until: now + 10 });
  const first = start(0);
  expect([first, start(0), start(0, { ...LIMITS, maxRetries: null })]).toEqual([
    { until: 10 },
    null,
    { until: 10 },
  ]);
  concurrency.endRetry(own, first ?? { until: 0 });
  expect(start(0)).toBeNull();
  // An hour idle: what was never given back is free.
  expect(start(HOUR)).toEqual({ until: HOUR + 10 });
});

test("a clock that steps back takes nobody's turn", () => {
  const own = lane();
  for (let each = 0; each < 2; each++) concurrency.arrive(own, LIMITS, { now: HOUR, until: 2 * HOUR });
  const ticket = ticketOf(own, HOUR);
  expect(concurrency.look(own, LIMITS, ticket, { now: 0, until: HOUR }).kind).toBe("wait");
  expect([own.waiting.length, own.inFlight.size]).toEqual([1, 2]);
});

interface Simulated {
  readonly ticket: Ticket;
  readonly cameAs: number;
}

test.each([1, 2, 7, 50])(
  "under a random load: never more than %i in flight, in order, nobody left behind",
  (max) => {
    const random = seeded(max);
    const own = lane();
    const limits: Thresholds = { maxRequests: max, maxPending: 40, maxRetries: null };
    const waiting: Simulated[] = [];
    const slots: Slot[] = [];
    let entered = 0;
    let came = 0;
    for (let now = 0; now < 20_000; now++) {
      const look = { now, until: now + HOUR };
      // Busier at first than can be served, then less busy, so that all get through.
      if (random() < (now < 10_000 ? 0.6 : 0.1)) {
        const arrival = concurrency.arrive(own, limits, look);
        if (arrival.kind === "wait") waiting.push({ ticket: arrival.ticket, cameAs: came++ });
        if (arrival.kind === "enter") slots.push(arrival.slot);
      }
      for (const each of waiting.filter(() => random() < 0.5)) {
        const free = max - slots.length;
        const ahead = waiting.filter(({ cameAs }) => cameAs < each.cameAs).length;
        const turn = concurrency.look(own, limits, each.ticket, look);
        // As the slow and obvious version has it: one of the first, as many as are free.
        expect(turn.kind).toBe(ahead < free ? "enter" : "wait");
        if (turn.kind === "wait") continue;
        slots.push(turn.slot);
        waiting.splice(waiting.indexOf(each), 1);
        entered += 1;
      }
      if (random() < 0.4) for (const slot of slots.splice(0, 1)) concurrency.leave(own, slot);
      expect(own.inFlight.size).toBe(slots.length);
      expect(slots.length).toBeLessThanOrEqual(max);
      expect(own.waiting).toEqual(waiting.map(({ ticket }) => ticket));
    }
    expect([entered, waiting.length]).toEqual([came, 0]);
  },
);

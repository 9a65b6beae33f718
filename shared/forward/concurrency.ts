/**
 * A call's place in the bulkhead of the service, or subset, that it goes to.
 *
 * @module
 */
import * as concurrency from "../engine/concurrency.ts";
import type { Bulkhead, Lane, Look, Thresholds, Ticket } from "../engine/concurrency.ts";
import { heldUntil } from "../engine/slot.ts";
import type { Slot } from "../engine/slot.ts";
import type { Millis } from "../engine/time.ts";
import * as timeout from "../engine/timeout.ts";
import type { Call } from "./call.ts";
import { gone, isGone, onDeparture } from "./departure.ts";
import type { Plan } from "./plan.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";

/**
 * What a call holds from its first try to its response headers, or its
 * failure: pauses between tries count, so that a call waits for its turn once.
 * Bodies do not, as for the balancer: seeing one end would mean to wrap it.
 */
export interface Place {
  readonly kind: "place";
  /** Where it is a place. */
  readonly bulkhead: Bulkhead;
  /** Time has passed since the call came: what was chosen for it may be out of date. */
  readonly hasWaited: boolean;
  /** Counts one more try, unless there are too many retries of all calls already. */
  startRetry(): boolean;
  /** All tries beyond the first are over for now. */
  endRetries(): void;
  /** Said twice, it changes nothing. */
  leave(): void;
}

/** Takes a place of the plan's pool, in order of arrival, within the call's own time. */
export async function enter(call: Call, plan: Plan): Promise<Place | Refusal | null> {
  const { bulkhead, policy } = plan.pool;
  if (policy.concurrency === undefined) return null;
  const thresholds = concurrency.of(policy.concurrency, plan.priority);
  const queue = { lane: concurrency.of(bulkhead, plan.priority), thresholds };
  const arrival = concurrency.arrive(queue.lane, thresholds, lookOf(call, plan));
  switch (arrival.kind) {
    case "enter":
      return placeOf(call, plan, queue, { slot: arrival.slot, hasWaited: false });
    case "refuse":
      return refuse("overload.pending", `Too many calls to ${plan.service.id} wait already.`, 1_000);
    case "wait": {
      const slot = await waitForTurn(call, plan, queue, arrival.ticket);
      return "kind" in slot ? slot : placeOf(call, plan, queue, { slot, hasWaited: true });
    }
  }
}

interface Queue {
  readonly lane: Lane;
  readonly thresholds: Thresholds;
}

/** Looks by the call's own timers: a promise that another call settles would wake this one in that call's context. */
async function waitForTurn(call: Call, plan: Plan, queue: Queue, ticket: Ticket): Promise<Slot | Refusal> {
  const { lane, thresholds } = queue;
  const giveUp = (): void => concurrency.giveUp(lane, ticket);
  const stay = onDeparture(call.mesh.ports, giveUp);
  try {
    for (;;) {
      if (isGone(call)) return gone();
      const leftMs = remaining(call, plan);
      if (leftMs !== null && leftMs <= 0)
        return refuse(
          "upstream.timeout",
          `The call's time ran out before its turn at ${plan.service.id} came.`,
        );
      const turn = concurrency.look(lane, thresholds, ticket, lookOf(call, plan));
      if (turn.kind === "enter") return turn.slot;
      await call.mesh.ports.sleep(Math.min(turn.forMs, leftMs ?? turn.forMs));
    }
  } finally {
    stay();
    giveUp();
  }
}

function placeOf(call: Call, plan: Plan, { lane, thresholds }: Queue, { slot, hasWaited }: Taken): Place {
  const retries: Slot[] = [];
  const endRetries = (): void => {
    for (const retry of retries.splice(0)) concurrency.endRetry(lane, retry);
  };
  const free = (): void => {
    concurrency.leave(lane, slot);
    endRetries();
  };
  const stay = onDeparture(call.mesh.ports, free);
  return {
    kind: "place",
    bulkhead: plan.pool.bulkhead,
    hasWaited,
    startRetry: () => {
      const retry = concurrency.startRetry(lane, thresholds, lookOf(call, plan));
      if (retry !== null) retries.push(retry);
      return retry !== null;
    },
    endRetries,
    leave: () => {
      stay();
      free();
    },
  };
}

interface Taken {
  readonly slot: Slot;
  readonly hasWaited: boolean;
}

function lookOf(call: Call, plan: Plan): Look {
  const now = call.mesh.ports.now();
  return { now, until: heldUntil(now, remaining(call, plan)) };
}

function remaining(call: Call, plan: Plan): Millis | null {
  return timeout.remainingMs(plan.timeouts, call.trail.arrivedAt, call.mesh.ports.now());
}

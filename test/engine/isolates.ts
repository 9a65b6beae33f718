/** Isolates that share a leased limit, in virtual time: what hosts do with leases, without the hosts. */
import * as lease from "../../shared/engine/limit-lease.ts";
import type { Grant, Lease, Pool, Tally } from "../../shared/engine/limit-lease.ts";
import type { Rate } from "../../shared/engine/limit.ts";
import { seeded } from "./random.ts";

export interface Load {
  readonly rate: Rate;
  readonly isolates: number;
  /** Calls, as a multiple of the limit. */
  readonly demand: number;
  /** `even`, or shares that differ by up to 150 times; those of `shifting` are drawn anew every ten seconds. */
  readonly shares: "even" | "skewed" | "shifting";
  readonly forMs: number;
  readonly seed: number;
}

export interface Outcome {
  /** When calls were admitted, in order. */
  readonly admitted: readonly number[];
  readonly offered: number;
  /** Calls to the object. */
  readonly asked: number;
}

interface Isolate {
  /** Its clock less the object's. */
  readonly offsetMs: number;
  lease: Lease | null;
  askAgainAt: number;
  isAsking: boolean;
  waiting: number;
  tally: Tally;
}

export const START = 1_700_000_000_000;
const SHIFT_EVERY_MS = 10_000;
/** One way between an isolate and the object. */
const TRIP_MS = 20;

/** Calls arrive as they do from many independent callers (Poisson). */
export function simulate({ rate, isolates, demand, shares, forMs, seed }: Load): Outcome {
  const random = seeded(seed);
  const due: { readonly at: number; act(): void }[] = [];
  const admitted: number[] = [];
  let pool: Pool | undefined;
  let offered = 0;
  let asked = 0;
  let now = START;
  const all = Array.from({ length: isolates }, () => newIsolate(random));
  let weights = drawWeights();

  function drawWeights(): number[] {
    const drawn = all.map(() => (shares === "even" ? 1 : Math.exp(5 * random())));
    const sum = drawn.reduce((total, weight) => total + weight, 0);
    return drawn.map((weight) => weight / sum);
  }

  const later = (act: () => void): void => void due.push({ at: now + Math.ceil(random() * TRIP_MS), act });

  function grant(ask: lease.Ask, answer: (grant: Grant) => void): void {
    asked += 1;
    later(() => {
      const granted = lease.grant(pool, rate, ask, { now, id: `${asked} ${random()}` });
      pool = granted.pool;
      later(() => answer(granted.grant));
    });
  }

  function ask(isolate: Isolate): void {
    const askedAt = now;
    const wanted = lease.size(rate, isolate.tally, isolate.waiting, now);
    isolate.isAsking = true;
    grant(wanted, (answer) => {
      isolate.lease = lease.hold(answer, askedAt + isolate.offsetMs, now + isolate.offsetMs);
      const granted = lease.count(answer.slots);
      const patience = granted < wanted.calls ? lease.patienceMs(rate, granted, wanted.calls, random) : 0;
      const { waiting } = isolate;
      Object.assign(isolate, { isAsking: false, waiting: 0, askAgainAt: askedAt + patience });
      for (let call = 0; call < waiting; call += 1) decide(isolate);
    });
  }

  function decide(isolate: Isolate): void {
    if (isolate.lease !== null) {
      const spending = lease.spend(isolate.lease, rate, 1, now + isolate.offsetMs);
      isolate.lease = spending.lease;
      if (spending.isAdmitted) {
        admitted.push(now);
        return;
      }
    }
    if (!isolate.isAsking && now < isolate.askAgainAt) return;
    isolate.waiting += 1;
    if (!isolate.isAsking) ask(isolate);
  }

  function count(isolate: Isolate): void {
    const { tally, span } = lease.tally(isolate.tally, rate, now);
    isolate.tally = tally;
    if (span === null || isolate.lease === null || isolate.isAsking) return;
    const surplus = lease.surplus(isolate.lease, rate, span, now + isolate.offsetMs);
    if (surplus === null) return;
    isolate.lease = surplus.lease;
    grant({ calls: 0, withinMs: 0, returned: surplus.returned }, () => undefined);
  }

  for (; now < START + forMs; now += 1) {
    if (shares === "shifting" && (now - START) % SHIFT_EVERY_MS === 0) weights = drawWeights();
    while (due.some(({ at }) => at <= now)) {
      const [next] = due.splice(
        due.findIndex(({ at }) => at <= now),
        1,
      );
      next?.act();
    }
    for (const [index, isolate] of all.entries()) {
      const mean = ((demand * rate.requests) / rate.perMs) * (weights[index] ?? 0);
      for (let calls = poisson(mean, random); calls > 0; calls -= 1) {
        offered += 1;
        count(isolate);
        decide(isolate);
      }
    }
  }
  return { admitted, offered, asked };
}

function newIsolate(random: () => number): Isolate {
  return {
    offsetMs: Math.floor((random() - 0.5) * 1_000_000),
    lease: null,
    askAgainAt: 0,
    isAsking: false,
    waiting: 0,
    tally: lease.startTally(START),
  };
}

function poisson(mean: number, random: () => number): number {
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count += 1;
  return count;
}

/**
 * The most calls above its rate that any window has seen: at most the burst,
 * if the limit holds. A window's end is as exact as the limit counts, to a slot.
 */
export function worstBurst(admitted: readonly number[], { requests, perMs }: Rate): number {
  let least = Number.POSITIVE_INFINITY;
  let worst = 0;
  for (const [index, at] of admitted.entries()) {
    const level = index - Math.floor((at * requests) / perMs);
    least = Math.min(least, level);
    worst = Math.max(worst, level - least + 1);
  }
  return worst;
}

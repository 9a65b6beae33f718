/**
 * The counters of `strict` and `leased` rate limits, one object per shard of
 * their keys.
 *
 * @module
 */
import { DurableObject } from "cloudflare:workers";
import * as limit from "../shared/engine/limit.ts";
import * as lease from "../shared/engine/limit-lease.ts";
import type { Ask, Grant } from "../shared/engine/limit-lease.ts";
import type { Millis } from "../shared/engine/time.ts";
import type { LeaseRequest, RateLimitApi, Taken, TakeRequest } from "../shared/wire/rpc.ts";
import type { Env } from "./env.ts";
import { RATE_LIMIT_MIGRATIONS, RateLimitStore } from "./rate-limit-store.ts";
import { migrate } from "./schema.ts";

/** Buckets that are not full, at most: some 10 MB. Keys beyond it share one bucket, so that a flood of keys buys nothing. */
const MAX_BUCKETS = 100_000;

/** No digest has this form. */
const OVERFLOW_KEY = "overflow";

/** An isolate holds a lease in two or three. */
const MAX_RETURNED_RANGES = 64;

const PRUNE_EVERY_MS: Millis = 60_000;

export class RateLimitObject extends DurableObject<Env> implements RateLimitApi {
  readonly #store: RateLimitStore;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrate(ctx.storage, RATE_LIMIT_MIGRATIONS);
    this.#store = new RateLimitStore(ctx.storage.sql);
  }

  /**
   * Charges a call to its bucket, all of its cost or nothing. Exact under
   * concurrency: nothing waits between reading a bucket and writing it. The
   * answer leaves only once the write is stored, so that what was admitted
   * stays counted whatever happens to this instance.
   */
  async take({ policy, key, rate, cost }: TakeRequest): Promise<Taken> {
    assertCountable(rate, cost);
    const bucket = await digest(policy, key, rate);
    const { isAdmitted, remaining, retryAfterMs, resetMs } = this.#take(bucket, rate, cost);
    await this.#arm();
    return { isAdmitted, remaining, retryAfterMs, resetMs };
  }

  /**
   * Grants calls ahead. As exact as `take`, and stored before the answer
   * leaves: an answer that is lost takes its calls with it. Only what was
   * granted under an id can be given back by it, once.
   */
  async lease({ policy, key, rate, ask }: LeaseRequest): Promise<Grant> {
    assertCountable(rate, ask.calls, ask.withinMs);
    if ((ask.returned?.slots.length ?? 0) > MAX_RETURNED_RANGES) throw new TypeError("too many ranges");
    const bucket = await digest(policy, key, rate);
    const grant = this.#lease(bucket, rate, ask);
    await this.#arm();
    return grant;
  }

  /** Forgets buckets that are full again. */
  override async alarm(): Promise<void> {
    this.#store.prune(Date.now());
    if (this.#store.size() > 0) await this.#arm();
  }

  #take(bucket: string, rate: limit.Rate, cost: number): limit.Taking {
    const key = this.#store.load(bucket) !== undefined || this.#hasRoom() ? bucket : OVERFLOW_KEY;
    const before = this.#store.load(key);
    const taking = limit.take(before, rate, cost, Date.now());
    if (taking.tat !== before) this.#store.save(key, taking.tat, before === undefined);
    return taking;
  }

  #lease(bucket: string, rate: limit.Rate, ask: Ask): Grant {
    const isKnown = this.#store.loadPool(bucket) !== undefined;
    const key = isKnown || this.#hasRoom() ? bucket : overflowKey(rate);
    const before = this.#store.loadPool(key);
    const calls = Math.min(Math.floor(ask.calls), rate.burst);
    const instant = { now: Date.now(), id: crypto.randomUUID() };
    const { pool, grant } = lease.grant(before, rate, { ...ask, calls }, instant);
    this.#store.savePool(key, pool, lease.fullAt(pool, rate), before === undefined);
    return grant;
  }

  #hasRoom(): boolean {
    return this.#store.size() < MAX_BUCKETS;
  }

  /** On every call, since the platform drops an alarm whose handler failed six times. */
  async #arm(): Promise<void> {
    const armed = await this.ctx.storage.getAlarm();
    if (armed === null) await this.ctx.storage.setAlarm(Date.now() + PRUNE_EVERY_MS);
  }
}

/** Keys hold what clients sent: storing a digest bounds their size and keeps no personal data. */
async function digest(policy: string, key: string, { requests, perMs, burst }: limit.Rate): Promise<string> {
  // The rate comes from the host that asks: one of another rate must not reach this bucket.
  const text = new TextEncoder().encode(JSON.stringify([policy, key, requests, perMs, burst]));
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Slots mean nothing without their rate. */
function overflowKey({ requests, perMs, burst }: limit.Rate): string {
  return `${OVERFLOW_KEY} ${requests}/${perMs}+${burst}`;
}

/** A `NaN` would stay in the bucket and admit or refuse for ever. */
function assertCountable({ requests, perMs, burst }: limit.Rate, ...amounts: readonly number[]): void {
  const isRate = [requests, perMs, burst].every((value) => value > 0 && Number.isFinite(value));
  if (!isRate || !amounts.every((amount) => amount >= 0 && Number.isFinite(amount))) {
    throw new TypeError("a rate needs positive numbers, a cost one that is not negative");
  }
}

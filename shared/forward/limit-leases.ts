/**
 * Leased rate limits in one isolate: spends what the object has granted, asks
 * for more when that is used up, and gives back what traffic no longer needs.
 *
 * @module
 */
import * as lease from "../engine/limit-lease.ts";
import type { Lease, Spending, Tally } from "../engine/limit-lease.ts";
import type { RateLimit } from "../engine/limit.ts";
import type { Millis } from "../engine/time.ts";
import { settlesWithin, within } from "./patience.ts";
import type { Mesh } from "./state.ts";

/** A grant that takes longer counts as unavailable. */
const WAIT_MS: Millis = 1_000;
/** While the object is out of reach the policy's `whenUnavailable` decides, without asking, for this long. */
const ASK_AGAIN_MS: Millis = 1_000;
/** Buckets with a lease. Keys come from clients: of more, the oldest goes, and what it had granted is lost. */
export const MAX_LEASES = 10_000;

/** One bucket of a leased limit. */
export interface Leasing {
  lease: Lease | null;
  /** All calls, refused ones too: what to ask for is sized by them. */
  tally: Tally;
  /** Calls that wait for a grant. */
  waiting: number;
  /** Not before then is the object asked again. */
  askAgainAt: Millis;
  /** Whether the last asking brought an answer. */
  isAnswering: boolean;
  flight: Flight | null;
}

/** One asking on its way. It belongs to the call that started it and may die with it. */
interface Flight {
  readonly startedAt: Millis;
  /** Never rejects. */
  readonly done: Promise<void>;
}

/** What there is for a call. */
export type Readiness = "granted" | "used-up" | "unavailable";

type Bucket = Pick<RateLimit, "policy" | "rate"> & { readonly key: string };

/** Counts a call, and sees to it that there is a slot for it if there can be one. */
export async function prepare(mesh: Mesh, bucket: Bucket): Promise<Readiness> {
  const { ports } = mesh;
  const leasing = leasingOf(mesh, bucket.key);
  count(mesh, bucket, leasing);
  const giveUpAt = ports.now() + WAIT_MS;
  for (let now = ports.now(); now < giveUpAt; now = ports.now()) {
    if (look(leasing, bucket, now).isAdmitted) return "granted";
    if (leasing.flight === null && now < leasing.askAgainAt)
      return leasing.isAnswering ? "used-up" : "unavailable";
    leasing.waiting += 1;
    await settlesWithin(ports, depart(mesh, bucket, leasing).done, giveUpAt - now);
    leasing.waiting -= 1;
  }
  return "unavailable";
}

/** What a call would find in the lease; a slot, once there was one, may be gone after anything was waited for. */
export function trySpend(mesh: Mesh, { key, rate }: Bucket): Spending | null {
  const held = mesh.state.leases.get(key)?.lease ?? null;
  return held === null ? null : lease.spend(held, rate, 1, mesh.ports.now());
}

/** Keeps what a lease became. */
export function keep(mesh: Mesh, key: string, { lease: left }: Spending): void {
  const leasing = mesh.state.leases.get(key);
  if (leasing !== undefined) leasing.lease = left;
}

/** How long a call that found nothing should wait, at least 1: no sooner will the object be asked. */
export function retryAfterMs(mesh: Mesh, { key, rate }: Bucket): Millis {
  const askAgainAt = mesh.state.leases.get(key)?.askAgainAt ?? 0;
  return Math.ceil(Math.max(1, rate.perMs / rate.requests, askAgainAt - mesh.ports.now()));
}

function look({ lease: held }: Leasing, { rate }: Bucket, now: Millis): { readonly isAdmitted: boolean } {
  return held === null ? NOTHING : lease.spend(held, rate, 0, now);
}

const NOTHING = { isAdmitted: false };

function leasingOf(mesh: Mesh, key: string): Leasing {
  const { leases } = mesh.state;
  const known = leases.get(key);
  if (known !== undefined) return known;
  const [oldest] = leases.keys();
  if (oldest !== undefined && leases.size >= MAX_LEASES) leases.delete(oldest);
  const now = mesh.ports.now();
  const leasing: Leasing = {
    lease: null,
    tally: lease.startTally(now),
    waiting: 0,
    askAgainAt: Number.NEGATIVE_INFINITY,
    isAnswering: true,
    flight: null,
  };
  leases.set(key, leasing);
  return leasing;
}

function count(mesh: Mesh, bucket: Bucket, leasing: Leasing): void {
  const now = mesh.ports.now();
  const { tally, span } = lease.tally(leasing.tally, bucket.rate, now);
  leasing.tally = tally;
  if (span === null || leasing.lease === null || leasing.flight !== null) return;
  giveBack(mesh, bucket, leasing, lease.surplus(leasing.lease, bucket.rate, span, now));
}

function giveBack(
  mesh: Mesh,
  { policy, key, rate }: Bucket,
  leasing: Leasing,
  surplus: ReturnType<typeof lease.surplus>,
): void {
  if (surplus === null) return;
  // First: what was given back must not be spent, whether or not the object hears of it.
  leasing.lease = surplus.lease;
  const ask = { calls: 0, withinMs: 0, returned: surplus.returned };
  const giving = mesh.ports.control.lease({ policy, key, rate, ask });
  // Slots that do not arrive pass unused, as they would have here.
  mesh.ports.defer(giving.catch(() => undefined));
}

/** Asks the object, or joins the asking on its way; one that takes too long is replaced. */
function depart(mesh: Mesh, bucket: Bucket, leasing: Leasing): Flight {
  const now = mesh.ports.now();
  if (leasing.flight !== null && now - leasing.flight.startedAt < WAIT_MS) return leasing.flight;
  const ask = lease.size(bucket.rate, leasing.tally, leasing.waiting, now);
  const flight: Flight = {
    startedAt: now,
    done: fly(mesh, bucket, leasing, ask).then(() => {
      if (leasing.flight === flight) leasing.flight = null;
    }),
  };
  leasing.flight = flight;
  mesh.ports.defer(flight.done);
  return flight;
}

async function fly(
  mesh: Mesh,
  { policy, key, rate }: Bucket,
  leasing: Leasing,
  ask: lease.Ask,
): Promise<void> {
  const { ports } = mesh;
  const askedAt = ports.now();
  try {
    const grant = await within(ports, ports.control.lease({ policy, key, rate, ask }), WAIT_MS);
    const granted = lease.count(grant.slots);
    leasing.lease = lease.hold(grant, askedAt, ports.now());
    leasing.isAnswering = true;
    const isShort = granted < ask.calls;
    const patience = isShort ? lease.patienceMs(rate, granted, ask.calls, ports.random) : 0;
    leasing.askAgainAt = askedAt + patience;
  } catch (error) {
    // Whether to fail open is the policy's to say.
    leasing.isAnswering = false;
    leasing.askAgainAt = ports.now() + ASK_AGAIN_MS;
    ports.log({ event: "ratelimit.unavailable", policy, error: String(error).slice(0, 256) });
  }
}

/**
 * Rate limits, as the inbound half applies them.
 *
 * @module
 */
import * as limit from "../engine/limit.ts";
import type { KeyInput, RateLimit } from "../engine/limit.ts";
import type { Millis } from "../engine/time.ts";
import type { Taken } from "../wire/rpc.ts";
import { within } from "./patience.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";
import type { Mesh } from "./state.ts";

/** Keys come from clients. When the table is full, buckets that are full again go first: they say nothing. */
export const MAX_BUCKETS = 10_000;

/** A strict limit that takes longer counts as unavailable. */
const STRICT_WAIT_MS = 1_000;

/** Takes one call from every limit, in order, until one refuses. */
export async function takeAll(
  mesh: Mesh,
  limits: readonly RateLimit[],
  input: KeyInput,
): Promise<Refusal | null> {
  for (const each of limits) {
    const key = limit.keyOf(each, input);
    const refusal = each.mode === "local" ? takeLocal(mesh, each, key) : await takeStrict(mesh, each, key);
    if (refusal !== null) return refusal;
  }
  return null;
}

function takeLocal(mesh: Mesh, { policy, rate }: RateLimit, key: string): Refusal | null {
  const { buckets } = mesh.state;
  const now = mesh.ports.now();
  const taking = limit.take(buckets.get(key), rate, 1, now);
  if (!buckets.has(key) && buckets.size >= MAX_BUCKETS) makeRoom(buckets, now);
  buckets.set(key, taking.tat);
  return taking.isAdmitted ? null : exceeded(policy, rate, taking);
}

function makeRoom(buckets: Map<string, Millis>, now: Millis): void {
  for (const [key, tat] of buckets) if (tat <= now) buckets.delete(key);
  for (const key of buckets.keys()) {
    if (buckets.size < MAX_BUCKETS) return;
    buckets.delete(key);
  }
}

async function takeStrict(mesh: Mesh, each: RateLimit, key: string): Promise<Refusal | null> {
  const { policy, rate } = each;
  try {
    const taken = await within(
      mesh.ports,
      mesh.ports.control.take({ policy, key, rate, cost: 1 }),
      STRICT_WAIT_MS,
    );
    return taken.isAdmitted ? null : exceeded(policy, rate, taken);
  } catch (error) {
    // Whether to fail open is the policy's to say.
    mesh.ports.log({ event: "ratelimit.unavailable", policy, error: String(error).slice(0, 256) });
    return each.whenUnavailable === "allow"
      ? null
      : refuse("ratelimit.unavailable", "The limit cannot be checked now: try again.", 1_000);
  }
}

/** With the headers of the IETF's draft (httpapi-ratelimit-headers). */
function exceeded(
  policy: string,
  rate: limit.Rate,
  taken: Pick<Taken, "remaining" | "retryAfterMs">,
): Refusal {
  const headers = [
    ["ratelimit-policy", `"${policy}";q=${rate.requests};w=${seconds(rate.perMs)}`],
    ["ratelimit", `"${policy}";r=${taken.remaining};t=${seconds(taken.retryAfterMs)}`],
  ] as const;
  const detail = "The limit for these calls is used up: wait as long as Retry-After says.";
  return { ...refuse("ratelimit.exceeded", detail, taken.retryAfterMs), headers };
}

function seconds(ms: Millis): number {
  return Math.max(1, Math.ceil(ms / 1000));
}

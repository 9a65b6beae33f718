/**
 * Rate limits, as the inbound half applies them.
 *
 * @module
 */
import { keyOf } from "../engine/limit-key.ts";
import type { KeyInput } from "../engine/limit-key.ts";
import * as limit from "../engine/limit.ts";
import type { RateLimit } from "../engine/limit.ts";
import type { Millis } from "../engine/time.ts";
import { limitFields } from "./limit-fields.ts";
import type { Quota } from "./limit-fields.ts";
import * as leases from "./limit-leases.ts";
import { within } from "./patience.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";
import type { Mesh } from "./state.ts";

/** Keys come from clients. When the table is full, buckets that are full again go first: they say nothing. */
export const MAX_BUCKETS = 10_000;

/** What counts elsewhere and takes longer to answer is unavailable. */
const WAIT_MS = 1_000;

/** Header fields for the answer to an admitted call; none unless a policy asks for them. */
export type Fields = ReturnType<typeof limitFields>;

/** What limits say of a call. */
export type LimitsDecision = { readonly kind: "admit"; readonly fields: Fields } | Refusal;

/** What one limit says of a call. */
type Verdict =
  | { readonly kind: "within"; readonly remaining: number; readonly resetMs: Millis | null }
  | { readonly kind: "exceeded"; readonly remaining: number; readonly retryAfterMs: Millis }
  /** It cannot be told. */
  | { readonly kind: "unknown" };

/** A limit, and the bucket of it that a call is about. */
interface Claim {
  readonly limit: RateLimit;
  readonly policy: string;
  readonly rate: limit.Rate;
  readonly key: string;
  /** What was found out elsewhere; `null` while the isolate's own buckets decide. */
  verdict: Verdict | null;
}

/**
 * Decides whether a call is within all of its limits, and charges it to them.
 *
 * What costs nothing is looked at first: the isolate's own buckets; then
 * bindings, leases, and last the objects of `strict` limits, each in the order
 * of the policies. A refused call is charged to no `local` or `leased` limit;
 * bindings and `strict` limits that were asked before the one that refused
 * keep the charge. A limit that cannot be told does as its policy says.
 */
export async function takeAll(
  mesh: Mesh,
  limits: readonly RateLimit[],
  input: KeyInput,
): Promise<LimitsDecision> {
  const claims = limits.map((each): Claim => claimOf(each, input));
  // What the isolate decides alone needs one look.
  if (claims.every(isLocal) && limits.every(({ binding }) => binding === undefined))
    return settle(mesh, claims);
  const soon = refusalOf(claims.filter(isLocal).map((claim) => [claim, localCharge(mesh, claim).verdict]));
  return (
    soon ?? (await askBindings(mesh, claims)) ?? (await askObjects(mesh, claims)) ?? settle(mesh, claims)
  );
}

function claimOf(each: RateLimit, input: KeyInput): Claim {
  const { policy, rate } = each;
  return { limit: each, policy, rate, key: keyOf(each, input), verdict: null };
}

function isLocal(claim: Claim): boolean {
  return claim.limit.mode === "local";
}

/** The first refusal by a limit that is in force. */
function refusalOf(found: readonly (readonly [Claim, Verdict])[]): Refusal | null {
  for (const [claim, verdict] of found) {
    if (claim.limit.isShadow === true) continue;
    if (verdict.kind === "exceeded") return exceeded(claim, verdict);
    if (verdict.kind === "unknown" && claim.limit.whenUnavailable === "deny")
      return refuse("ratelimit.unavailable", "The limit cannot be checked now: try again.", 1_000);
  }
  return null;
}

async function askBindings(mesh: Mesh, claims: readonly Claim[]): Promise<Refusal | null> {
  for (const claim of claims) {
    if (claim.limit.binding === undefined) continue;
    const verdict = await askBinding(mesh, claim, claim.limit.binding);
    const refusal = refusalOf([[claim, verdict]]);
    if (refusal !== null) return refusal;
    // As used up as can be: the limit's own count has nothing to add.
    if (verdict.kind === "exceeded") claim.verdict = verdict;
  }
  return null;
}

async function askObjects(mesh: Mesh, claims: readonly Claim[]): Promise<Refusal | null> {
  for (const mode of ["leased", "strict"] as const) {
    for (const claim of claims) {
      if (claim.limit.mode !== mode || claim.verdict !== null) continue;
      claim.verdict = await (mode === "leased" ? askForLease(mesh, claim) : askObject(mesh, claim));
      const refusal = claim.verdict === null ? null : refusalOf([[claim, claim.verdict]]);
      if (refusal !== null) return refusal;
    }
  }
  return null;
}

/** Charges all of the isolate's own buckets, or none. Nothing is waited for between looking and charging. */
function settle(mesh: Mesh, claims: readonly Claim[]): LimitsDecision {
  const charges = claims.map((claim) => [claim, chargeOf(mesh, claim)] as const);
  const refusal = refusalOf(charges.map(([claim, { verdict }]) => [claim, verdict]));
  if (refusal !== null) return refusal;
  const told: Quota[] = [];
  for (const [{ limit: each, policy, rate }, { verdict, keep }] of charges) {
    keep();
    // Only a shadow limit is exceeded here.
    if (verdict.kind === "exceeded") countShadow(mesh, policy);
    if (verdict.kind !== "within" || each.isTold !== true || each.isShadow === true) continue;
    told.push({ policy, rate, remaining: verdict.remaining, resetMs: verdict.resetMs });
  }
  return { kind: "admit", fields: told.length === 0 ? [] : limitFields(told) };
}

/** What a bucket says, and the way to charge the call to it. */
interface Charge {
  readonly verdict: Verdict;
  keep(): void;
}

function chargeOf(mesh: Mesh, claim: Claim): Charge {
  if (claim.verdict !== null) return { verdict: claim.verdict, keep: () => undefined };
  return isLocal(claim) ? localCharge(mesh, claim) : leasedCharge(mesh, claim);
}

function localCharge(mesh: Mesh, { rate, key }: Claim): Charge {
  const { buckets } = mesh.state;
  const now = mesh.ports.now();
  const { isAdmitted, tat, remaining, retryAfterMs, resetMs } = limit.take(buckets.get(key), rate, 1, now);
  return {
    verdict: isAdmitted
      ? { kind: "within", remaining, resetMs }
      : { kind: "exceeded", remaining, retryAfterMs },
    keep: () => {
      if (!buckets.has(key) && buckets.size >= MAX_BUCKETS) makeRoom(buckets, now);
      buckets.set(key, tat);
    },
  };
}

function makeRoom(buckets: Map<string, Millis>, now: Millis): void {
  for (const [key, tat] of buckets) if (tat <= now) buckets.delete(key);
  for (const key of buckets.keys()) {
    if (buckets.size < MAX_BUCKETS) return;
    buckets.delete(key);
  }
}

function leasedCharge(mesh: Mesh, claim: Claim): Charge {
  const spending = leases.trySpend(mesh, claim);
  // Another call was quicker while this one waited for something else.
  if (spending === null || !spending.isAdmitted)
    return { verdict: usedUp(mesh, claim), keep: () => undefined };
  return {
    verdict: { kind: "within", remaining: spending.remaining, resetMs: null },
    keep: () => leases.keep(mesh, claim.key, spending),
  };
}

/** `null`: there is a slot, to be spent once nobody else objects. */
async function askForLease(mesh: Mesh, claim: Claim): Promise<Verdict | null> {
  const readiness = await leases.prepare(mesh, claim);
  if (readiness === "granted") return null;
  return readiness === "unavailable" ? { kind: "unknown" } : usedUp(mesh, claim);
}

function usedUp(mesh: Mesh, claim: Claim): Verdict {
  return { kind: "exceeded", remaining: 0, retryAfterMs: leases.retryAfterMs(mesh, claim) };
}

async function askObject(mesh: Mesh, { policy, rate, key }: Claim): Promise<Verdict> {
  const { ports } = mesh;
  try {
    const taking = ports.control.take({ policy, key, rate, cost: 1 });
    const { isAdmitted, remaining, retryAfterMs, resetMs = null } = await within(ports, taking, WAIT_MS);
    return isAdmitted
      ? { kind: "within", remaining, resetMs }
      : { kind: "exceeded", remaining, retryAfterMs };
  } catch (error) {
    // Whether to fail open is the policy's to say.
    ports.log({ event: "ratelimit.unavailable", policy, error: String(error).slice(0, 256) });
    return { kind: "unknown" };
  }
}

/** Without the binding the limit stands on its own count: not every host has it. */
async function askBinding(mesh: Mesh, { policy, key, rate }: Claim, name: string): Promise<Verdict> {
  const { ports, state } = mesh;
  const limiter = ports.limiter(name);
  if (limiter === null) {
    if (!state.missingLimiters.has(name)) ports.log({ event: "ratelimit.unbound", policy, binding: name });
    state.missingLimiters.add(name);
    return { kind: "within", remaining: 0, resetMs: null };
  }
  try {
    const { success } = await within(ports, limiter.limit({ key }), WAIT_MS);
    if (success) return { kind: "within", remaining: 0, resetMs: null };
    // The binding does not tell when it will admit calls again: a period of the limit is as good a guess as any.
    return { kind: "exceeded", remaining: 0, retryAfterMs: rate.perMs };
  } catch (error) {
    ports.log({ event: "ratelimit.unavailable", policy, error: String(error).slice(0, 256) });
    return { kind: "unknown" };
  }
}

/** Counts all, and logs as many as access-log lines are sampled: a policy is tried out on live traffic. */
function countShadow({ state, ports, settings }: Mesh, policy: string): void {
  state.meter.host.shadowedCalls += 1;
  if (ports.random() < settings.logSampleRatio) ports.log({ event: "ratelimit.shadow", policy });
}

function exceeded(
  { policy, rate }: Claim,
  { remaining, retryAfterMs }: Verdict & { readonly kind: "exceeded" },
): Refusal {
  const detail = "The limit for these calls is used up: wait as long as Retry-After says.";
  const headers = limitFields([{ policy, rate, remaining, resetMs: retryAfterMs }]);
  return { ...refuse("ratelimit.exceeded", detail, retryAfterMs), headers };
}

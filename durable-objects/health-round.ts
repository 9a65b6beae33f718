/**
 * One round of checks: every endpoint of a service once, six at a time.
 *
 * Rounds are cut into batches, and how far a round has come is stored after
 * each: whoever goes on after an eviction repeats at most one batch.
 *
 * @module
 */
import { pauseMs, record, verdictOf, type HealthCheck } from "../shared/engine/health-check.ts";
import type { Millis } from "../shared/engine/time.ts";
import type { Env } from "./env.ts";
import type { CheckStore, StandingTarget } from "./health-check-store.ts";
import { probe, type ProbeResult } from "./health-probe.ts";
import { isSameJson } from "./json.ts";

/** Connections that a Worker may have waiting for an answer: a seventh would wait, and be late for that alone. */
const AT_ONCE = 6;

export interface Batch {
  /** `namespace/name`. */
  readonly service: string;
  readonly check: HealthCheck;
  readonly targets: readonly StandingTarget[];
  /** Where the round is once the batch is done; `null` where it is not of a round. */
  readonly cursor: string | null;
}

/** What to check now; `null` until later. Endpoints that are new come before any round, and a round begins when it is due. */
export function nextBatch(store: CheckStore, now: Millis, random: number): Batch | null {
  const checks = store.checks();
  if (checks === null || checks.check === null) return null;
  const { service, check } = checks;
  const fresh = store.unprobed(AT_ONCE);
  if (fresh.length > 0) return { service, check, targets: fresh, cursor: null };

  if (checks.cursor === null && now < checks.nextAt) return null;
  const round =
    checks.cursor === null ? { ...checks, cursor: "", nextAt: now + pauseMs(check, random) } : checks;
  const targets = store.after(round.cursor ?? "", AT_ONCE);
  const last = targets.at(-1);
  store.setChecks(last === undefined ? { ...round, cursor: null } : round);
  return last === undefined ? null : { service, check, targets, cursor: last.id };
}

/** Probes all of a batch at once; results in its order. */
export function probeBatch(env: Env, { service, check, targets }: Batch): Promise<ProbeResult[]> {
  const { probe: asked, timeoutMs } = check;
  const context = { env, probe: asked, timeoutMs, serviceHost: service.split("/").toReversed().join(".") };
  return Promise.all(targets.map((target) => probe(context, target)));
}

/**
 * Writes down what a batch brought to light. Answers whether a verdict
 * changed. What has been configured otherwise meanwhile counts for nothing.
 */
export function settleBatch(
  store: CheckStore,
  batch: Batch,
  results: readonly ProbeResult[],
  now: Millis,
): boolean {
  const checks = store.checks();
  if (checks === null || !isSameJson(checks.check, batch.check)) return false;
  const changes = batch.targets.map((target, index) => {
    const result = results[index];
    return result !== undefined && store.isTarget(target) && settle(store, batch, target, { result, now });
  });
  if (batch.cursor !== null && checks.cursor !== null) store.setChecks({ ...checks, cursor: batch.cursor });
  const hasChanged = changes.includes(true);
  if (hasChanged) warnOfMany(store, batch.service);
  return hasChanged;
}

/** The endpoints of a batch that passed. */
export function passedIn({ targets }: Batch, results: readonly ProbeResult[]): string[] {
  return targets.filter((_target, index) => results[index]?.ok === true).map(({ id }) => id);
}

function settle(
  store: CheckStore,
  { service, check }: Batch,
  { id, standing }: StandingTarget,
  { result, now }: { readonly result: ProbeResult; readonly now: Millis },
): boolean {
  const next = record(standing, check, result.ok, now);
  store.setStanding(id, next);
  if (isSameJson(verdictOf(standing, check), verdictOf(next, check))) return false;
  if (result.ok) console.log(`health: ${service} ${id} is healthy`);
  else console.warn(`health: ${service} ${id} is unhealthy: ${result.reason}`);
  return true;
}

/**
 * Verdicts are told as they are, however many. They take nothing out of the
 * mesh: with too few healthy endpoints left hosts use all of them, unless the
 * policy's `panicThreshold` says otherwise.
 */
function warnOfMany(store: CheckStore, service: string): void {
  const ill = store.checked().filter(({ health }) => health === "unhealthy").length;
  const all = store.countTargets();
  if (ill * 2 <= all) return;
  console.warn(
    `health: ${ill} of ${all} checked endpoints of ${service} are unhealthy: look at what they share`,
  );
}

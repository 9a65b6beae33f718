/**
 * What one isolate saw of a service's endpoints, told to the mesh for outlier
 * detection: soon where something fails, now and then where nothing does.
 *
 * @module
 */
import { count, noCounts } from "../engine/outlier-counts.ts";
import type { CallEnd, Counting } from "../engine/outlier-counts.ts";
import type { OutlierPolicy } from "../engine/outlier.ts";
import type { Millis } from "../engine/time.ts";
import type { OutcomeReport } from "../wire/rpc.ts";
import type { Mesh } from "./state.ts";
import type { LinkedService } from "./view.ts";

/** From a first failure to its report: what fails at the same time goes along. */
export const GATHER_MS = 200;
/** From one report to the next while calls fail. */
export const FAILING_EVERY_MS = 500;
/** The least time between reports of nothing but successes: at 200 calls a second and more, each tells of 1,000. */
export const QUIET_EVERY_MS = 5_000;
/** A report that takes longer died with its request: another may start. */
const REPORT_LIMIT_MS = 5_000;

/** What has not been told yet. Kept for each service, and bounded by its endpoints. */
export interface Outcomes {
  /** By endpoint id. */
  counts: Map<string, Counting>;
  sequence: number;
  /** A report that has not been acknowledged: sent again as it is, so that it counts once. */
  unacknowledged: OutcomeReport | null;
  /** When the report that is on its way was due; `null` without one. */
  dueAt: Millis | null;
  /** When the last one was sent, or the first call was counted; `null` before. */
  reportedAt: Millis | null;
}

/** Nothing to tell. */
export function createOutcomes(): Outcomes {
  return { counts: new Map(), sequence: 0, unacknowledged: null, dueAt: null, reportedAt: null };
}

/** Counts one call's end, and sees to it that it is told. */
export function note(
  mesh: Mesh,
  service: LinkedService,
  policy: OutlierPolicy,
  { endpoint, end }: { readonly endpoint: string; readonly end: CallEnd },
): void {
  const { outcomes } = service.traffic;
  let counting = outcomes.counts.get(endpoint);
  if (counting === undefined) {
    counting = noCounts();
    outcomes.counts.set(endpoint, counting);
  }
  count(counting, end, policy);
  const now = mesh.ports.now();
  if (outcomes.dueAt !== null && now < outcomes.dueAt + REPORT_LIMIT_MS) return;
  const afterMs = waitMs(outcomes, policy, end, now);
  if (afterMs === null) return;
  outcomes.dueAt = now + afterMs;
  mesh.ports.defer(tellLater(mesh, service, afterMs));
}

/** Forgets endpoints that the service no longer has. */
export function retain({ counts }: Outcomes, ids: ReadonlySet<string>): void {
  for (const id of counts.keys()) if (!ids.has(id)) counts.delete(id);
}

/** How long until the next report; `null`: this call needs none. */
function waitMs(outcomes: Outcomes, { intervalMs }: OutlierPolicy, end: CallEnd, now: Millis): Millis | null {
  // A clock that stepped back begins anew.
  if (outcomes.reportedAt === null || outcomes.reportedAt > now) outcomes.reportedAt = now - FAILING_EVERY_MS;
  const sinceMs = now - outcomes.reportedAt;
  if (end !== "answer") return Math.max(GATHER_MS, FAILING_EVERY_MS - sinceMs);
  return sinceMs < Math.max(QUIET_EVERY_MS, intervalMs / 2) ? null : 0;
}

async function tellLater(mesh: Mesh, service: LinkedService, afterMs: Millis): Promise<void> {
  const { outcomes } = service.traffic;
  if (afterMs > 0) await mesh.ports.sleep(afterMs);
  outcomes.reportedAt = mesh.ports.now();
  await tell(mesh, service);
  outcomes.dueAt = null;
}

/** Tells what was counted so far; what cannot be delivered is kept for the next time. Never rejects. */
async function tell({ ports, state }: Mesh, { id, traffic: { outcomes } }: LinkedService): Promise<void> {
  outcomes.unacknowledged ??= cut(outcomes, state.reporter, ports.now());
  if (outcomes.unacknowledged === null) return;
  try {
    await ports.control.reportOutcomes(id, outcomes.unacknowledged);
    outcomes.unacknowledged = null;
  } catch (error) {
    ports.log({ event: "outcomes.unreported", service: id, error: String(error).slice(0, 256) });
  }
}

/** The sequence follows the clock: a service that was forgotten and came back goes on above what was told of it. */
function cut(outcomes: Outcomes, reporter: string, now: Millis): OutcomeReport | null {
  if (outcomes.counts.size === 0) return null;
  outcomes.sequence = Math.max(outcomes.sequence + 1, now);
  const counts = [...outcomes.counts].map(([endpoint, counting]) => ({ endpoint, ...counting }));
  outcomes.counts = new Map();
  return { reporter, sequence: outcomes.sequence, counts };
}

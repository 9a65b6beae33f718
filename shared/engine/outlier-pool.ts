/**
 * What several hosts saw of a service's endpoints, pooled: the same detectors
 * on the sum of their counts, so that a host with few calls learns from the
 * others. No host is believed alone.
 *
 * @module
 */
import * as outlier from "./outlier.ts";
import type { Ejection, OutlierPolicy, Tracker } from "./outlier.ts";
import type { OutcomeCounts } from "./outlier-counts.ts";
import type { Millis } from "./time.ts";

/** Owned and kept by whoever pools, changed by `fold` and `retain`. */
export interface Pool {
  readonly tracker: Tracker;
  /** By endpoint id. */
  readonly evidence: Map<string, Evidence>;
  /** Sequence numbers of the newest reports by reporter, the one that reported last at the end. */
  readonly reporters: Map<string, number>;
}

/** Who has seen an endpoint fail: nobody, one host, or more (`true`). */
export type Witness = string | true | null;

/** Who contributed to what is counted against one endpoint. */
export interface Evidence {
  /** Since the last success of any host's call. */
  readonly inARow: Witness;
  /** Of the newest failure in that row. */
  readonly failedAt: Millis;
  /** In this interval. */
  readonly interval: Witness;
}

/** What one host reports. */
export interface Report {
  readonly reporter: string;
  /** Grows with each of the reporter's reports. */
  readonly sequence: number;
  readonly counts: readonly OutcomeCounts[];
}

/** Hosts of which the newest report is remembered. Of one that fell out a repeated report would count twice. */
export const MAX_REPORTERS = 500;

/** More calls than a host can make between two reports: whoever claims so makes things up. */
const MAX_CALLS = 10_000_000;

const NO_EVIDENCE: Evidence = { inARow: null, failedAt: 0, interval: null };

/** A pool that has heard nothing. */
export function createPool(): Pool {
  return { tracker: outlier.createTracker(), evidence: new Map(), reporters: new Map() };
}

/**
 * Folds a report in, and answers the ejections that follow. A report that was
 * folded in before changes nothing; neither do endpoints that the service does
 * not have, and counts that make no sense.
 *
 * Failures in a row are those since the last success that any host reported.
 * They begin anew after an interval without one: hosts tell of successes less
 * often than of failures, and of the last ones before they go quiet perhaps
 * never.
 */
export function fold(
  pool: Pool,
  policy: OutlierPolicy,
  report: Report,
  { endpoints, now }: { readonly endpoints: readonly string[]; readonly now: Millis },
): readonly Ejection[] {
  const { tracker, evidence } = pool;
  if (!isNew(pool, report)) return [];
  const scene: outlier.Scene = {
    now,
    endpoints: endpoints.map((id) => ({ id })),
    believes: (endpoint, kind) =>
      (kind === "rate" ? evidence.get(endpoint)?.interval : evidence.get(endpoint)?.inARow) === true,
  };
  const ejected = [...advance(pool, policy, scene)];
  const known = new Set(endpoints);
  for (const counts of report.counts.slice(0, endpoints.length)) {
    const { endpoint } = counts;
    if (!known.has(endpoint) || !areSound(counts, policy)) continue;
    if (outlier.isOut(tracker, endpoint, now)) continue;
    testify(pool, policy, { reporter: report.reporter, counts }, now);
    ejected.push(...outlier.recordCounts(tracker, policy, counts, scene));
  }
  for (const { endpoint } of ejected) evidence.delete(endpoint);
  return ejected;
}

/** Forgets endpoints that the service no longer has. */
export function retain({ tracker, evidence }: Pool, ids: ReadonlySet<string>): void {
  outlier.retain(tracker, ids);
  for (const id of evidence.keys()) if (!ids.has(id)) evidence.delete(id);
}

/** Remembers the report, unless it or a later one is known. */
function isNew({ reporters }: Pool, { reporter, sequence }: Report): boolean {
  if (sequence <= (reporters.get(reporter) ?? 0)) return false;
  reporters.delete(reporter);
  reporters.set(reporter, sequence);
  for (const oldest of reporters.keys()) {
    if (reporters.size <= MAX_REPORTERS) break;
    reporters.delete(oldest);
  }
  return true;
}

/** With each interval, who saw failures in it is asked anew. */
function advance(
  { tracker, evidence }: Pool,
  policy: OutlierPolicy,
  scene: outlier.Scene,
): readonly Ejection[] {
  const { intervalEndsAt } = tracker;
  const ejected = outlier.advance(tracker, policy, scene);
  if (tracker.intervalEndsAt !== intervalEndsAt)
    for (const [endpoint, known] of evidence) evidence.set(endpoint, { ...known, interval: null });
  return ejected;
}

interface Testimony {
  readonly reporter: string;
  readonly counts: OutcomeCounts;
}

/** Notes who saw the endpoint fail, and begins its failures in a row anew where they are old. */
function testify(
  { tracker, evidence }: Pool,
  { intervalMs }: OutlierPolicy,
  { reporter, counts }: Testimony,
  now: Millis,
): void {
  const { endpoint, calls, serverErrors, localFailures, inARow } = counts;
  const known = evidence.get(endpoint) ?? NO_EVIDENCE;
  const isOld = Math.abs(now - known.failedAt) > intervalMs;
  if (isOld) outlier.breakRow(tracker, endpoint);
  const failures = serverErrors + localFailures;
  const isFailing = Math.max(inARow.serverErrors, inARow.localFailures) > 0;
  const before = isOld || calls > failures ? null : known.inARow;
  evidence.set(endpoint, {
    inARow: isFailing ? joined(before, reporter) : before,
    failedAt: isFailing ? now : known.failedAt,
    interval: failures > 0 ? joined(known.interval, reporter) : known.interval,
  });
}

function joined(witness: Witness, reporter: string): Witness {
  return witness === null || witness === reporter ? reporter : true;
}

function areSound(counts: OutcomeCounts, { splitsLocalFailures }: OutlierPolicy): boolean {
  const { calls, serverErrors, gatewayErrors, localFailures, inARow } = counts;
  const told = splitsLocalFailures ? calls - localFailures : calls;
  return (
    [calls, serverErrors, gatewayErrors, localFailures].every(isCount) &&
    [inARow.serverErrors, inARow.gatewayErrors, inARow.localFailures].every(isCount) &&
    calls <= MAX_CALLS &&
    serverErrors + localFailures <= calls &&
    gatewayErrors <= serverErrors &&
    Math.max(inARow.serverErrors, inARow.gatewayErrors) <= told &&
    inARow.localFailures <= localFailures
  );
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/**
 * What the mesh knows of one endpoint's circuits, as data: which hosts hold it
 * open, whether that takes it out for everybody, and who may probe it.
 *
 * @module
 */
import type { Millis } from "../shared/engine/time.ts";
import type { CircuitReport } from "../shared/wire/rpc.ts";

/** Hosts that must agree before an endpoint is taken out for everybody: one alone may have broken its own network. */
export const QUORUM = 2;

/**
 * How long a host's report counts at least. A host whose circuit stays open
 * reports each failed probe anew, so that it counts for twice as long as it
 * takes to the next.
 */
export const REPORT_LIFE_MS: Millis = 60_000;
const MAX_REPORT_LIFE_MS: Millis = 600_000;

/** How long one host may hold the probe unless it asks otherwise. After it the host counts as gone, and another may probe. */
export const PROBE_LEASE_MS: Millis = 5_000;
const MIN_PROBE_LEASE_MS: Millis = 100;
const MAX_PROBE_LEASE_MS: Millis = 300_000;

export interface OpenMark {
  readonly reporter: string;
  readonly at: Millis;
  /** How long it counts; absent: `REPORT_LIFE_MS`. */
  readonly lifeMs?: Millis;
}

export interface Probe {
  readonly reporter: string;
  readonly until: Millis;
}

export interface Evidence {
  /**
   * Who holds the circuit open, oldest first, each reporter once. The newest
   * `QUORUM` are all that matters: fewer decide nothing yet, and of an
   * ejection only the newest report tells how long it lasts.
   */
  readonly open: readonly OpenMark[];
  readonly isEjected: boolean;
  readonly probe: Probe | null;
}

/** An endpoint of which nothing is known: it serves. */
export const NO_EVIDENCE: Evidence = { open: [], isEjected: false, probe: null };

/**
 * Folds one report in. A quorum of open circuits ejects the endpoint; from
 * then on one host that got an answer brings it back, and all older reports
 * are void. Before that, a closed circuit takes back its own report only.
 */
export function fold(
  evidence: Evidence,
  { reporter, state, openForMs = 0 }: Omit<CircuitReport, "endpoint">,
  now: Millis,
): Evidence {
  const { open, isEjected, probe } = expire(evidence, now);
  const others = open.filter((mark) => mark.reporter !== reporter);
  if (state === "closed") {
    // Whoever holds the probe is done with it.
    const held = probe?.reporter === reporter ? null : probe;
    return isEjected ? NO_EVIDENCE : { open: others, isEjected, probe: held };
  }

  const lifeMs = within(openForMs * 2, REPORT_LIFE_MS, MAX_REPORT_LIFE_MS);
  const mark: OpenMark = lifeMs === REPORT_LIFE_MS ? { reporter, at: now } : { reporter, at: now, lifeMs };
  const marks = [...others, mark].slice(-QUORUM);
  return { open: marks, isEjected: isEjected || marks.length >= QUORUM, probe };
}

/** Who wants to probe, and for how long it would keep others from it: `PROBE_LEASE_MS` unless given. */
export interface Claim {
  readonly reporter: string;
  readonly forMs?: Millis | undefined;
}

/**
 * Grants the probe, unless another holds it. Asking again gets the same
 * answer and no longer lease. A probe that failed keeps its lease, so that an
 * endpoint which is down sees one probe in that time, not one per host.
 */
export function claim(
  evidence: Evidence,
  { reporter, forMs = PROBE_LEASE_MS }: Claim,
  now: Millis,
): { readonly isGranted: boolean; readonly evidence: Evidence } {
  const live = expire(evidence, now);
  if (live.probe !== null) return { isGranted: live.probe.reporter === reporter, evidence: live };
  const until = now + within(forMs, MIN_PROBE_LEASE_MS, MAX_PROBE_LEASE_MS);
  return { isGranted: true, evidence: { ...live, probe: { reporter, until } } };
}

/**
 * Drops what no longer counts. An ejection ends with its last report: once
 * nobody sends to the endpoint, nobody could find it well again. What lies
 * further ahead than it could have been written is dropped too, since the
 * clock has stepped back.
 */
export function expire({ open, isEjected, probe }: Evidence, now: Millis): Evidence {
  const live = open.filter(({ at, lifeMs = REPORT_LIFE_MS }) => Math.abs(now - at) < lifeMs);
  const isHeld = probe !== null && probe.until > now && probe.until <= now + MAX_PROBE_LEASE_MS;
  return { open: live, isEjected: isEjected && live.length > 0, probe: isHeld ? probe : null };
}

/** Whether nothing is left to remember. */
export function isEmpty({ open, probe }: Evidence): boolean {
  return open.length === 0 && probe === null;
}

/** When the last of it will have expired; the epoch when it is empty. */
export function expiresAt({ open, probe }: Evidence): Millis {
  return Math.max(0, probe?.until ?? 0, ...open.map(({ at, lifeMs = REPORT_LIFE_MS }) => at + lifeMs));
}

/** A number that was told, held to what makes sense; one that is none is the least. */
function within(told: number, least: number, most: number): number {
  return Number.isFinite(told) ? Math.min(Math.max(told, least), most) : least;
}

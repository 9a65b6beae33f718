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

/** How long a host's report counts. A host whose circuit stays open reports each failed probe anew. */
export const REPORT_LIFE_MS: Millis = 60_000;

/** How long one host may hold the probe. After it the host counts as gone, and another may probe. */
export const PROBE_LEASE_MS: Millis = 5_000;

export interface OpenMark {
  readonly reporter: string;
  readonly at: Millis;
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
  { reporter, state }: Pick<CircuitReport, "reporter" | "state">,
  now: Millis,
): Evidence {
  const { open, isEjected, probe } = expire(evidence, now);
  const others = open.filter((mark) => mark.reporter !== reporter);
  if (state === "closed") return isEjected ? NO_EVIDENCE : { open: others, isEjected, probe };

  const marks = [...others, { reporter, at: now }].slice(-QUORUM);
  return { open: marks, isEjected: isEjected || marks.length >= QUORUM, probe };
}

/**
 * Grants the probe, unless another holds it. Asking again gets the same
 * answer and no longer lease. A probe that failed keeps its lease, so that an
 * endpoint which is down sees one probe in `PROBE_LEASE_MS`, not one per host.
 */
export function claim(
  evidence: Evidence,
  reporter: string,
  now: Millis,
): { readonly isGranted: boolean; readonly evidence: Evidence } {
  const live = expire(evidence, now);
  if (live.probe !== null) return { isGranted: live.probe.reporter === reporter, evidence: live };
  return { isGranted: true, evidence: { ...live, probe: { reporter, until: now + PROBE_LEASE_MS } } };
}

/**
 * Drops what no longer counts. An ejection ends with its last report: once
 * nobody sends to the endpoint, nobody could find it well again. What lies
 * further ahead than it could have been written is dropped too, since the
 * clock has stepped back.
 */
export function expire({ open, isEjected, probe }: Evidence, now: Millis): Evidence {
  const live = open.filter(({ at }) => Math.abs(now - at) < REPORT_LIFE_MS);
  const isHeld = probe !== null && probe.until > now && probe.until <= now + PROBE_LEASE_MS;
  return { open: live, isEjected: isEjected && live.length > 0, probe: isHeld ? probe : null };
}

/** Whether nothing is left to remember. */
export function isEmpty({ open, probe }: Evidence): boolean {
  return open.length === 0 && probe === null;
}

/** When the last of it will have expired; the epoch when it is empty. */
export function expiresAt({ open, probe }: Evidence): Millis {
  return Math.max(0, probe?.until ?? 0, ...open.map(({ at }) => at + REPORT_LIFE_MS));
}

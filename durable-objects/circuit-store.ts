/**
 * The circuit object's record: one small value, written whole.
 *
 * @module
 */
// By its file: the package's entry is CommonJS around ES modules, which not every loader takes.
import { createDurable } from "itty-durable/itty-durable.js";
import type { Millis } from "../shared/engine/time.ts";
import type { CircuitReport } from "../shared/wire/rpc.ts";
import * as circuitEvidence from "./circuit-evidence.ts";
import type { Claim, Evidence } from "./circuit-evidence.ts";

/** Endpoints remembered at most. With bounded names, three reporters for each, the record stays under 1.5 MB; the platform takes 2 MB a value. */
export const MAX_ENDPOINTS = 1000;

const MAX_ENDPOINT_LENGTH = 320;
/** A namespace, a service account and the name of an isolate. */
const MAX_REPORTER_LENGTH = 384;

/**
 * The state of one service's circuits. itty-durable stores every field of it
 * as one value and loads it back; the object around it is a native one, since
 * a class of itty's own has no RPC and would not be loaded before an alarm.
 * Made with an empty env: itty takes each binding for a namespace of objects.
 */
export class CircuitRecord extends createDurable() {
  /** `namespace/name`; empty until the first call. */
  service = "";
  endpoints = new Map<string, Evidence>();
  /** Endpoints that are out, sorted: what `sequence` says. */
  ejected: readonly string[] = [];
  /** Grows with each change of `ejected`. Follows the clock, so that a record that was lost is not taken for an older one. */
  sequence = 0;
  /** The newest sequence that the registry has. */
  publishedSequence = 0;
}

/**
 * Folds a host's reports in. Reports with overlong names, and those of new
 * endpoints while the record is full, are dropped: an ejection protects, and
 * without it the hosts' own circuits still do.
 */
export function foldReports(record: CircuitRecord, reports: readonly CircuitReport[], now: Millis): void {
  for (const report of reports) {
    if (!canKeep(record, report.endpoint, report.reporter)) continue;
    const known = record.endpoints.get(report.endpoint) ?? circuitEvidence.NO_EVIDENCE;
    record.endpoints.set(report.endpoint, circuitEvidence.fold(known, report, now));
  }
}

/**
 * Decides whether a host may probe an endpoint. When the claim cannot be
 * remembered it is granted: one call too many does less harm than an endpoint
 * that never comes back.
 */
export function claimProbe(record: CircuitRecord, endpoint: string, claim: Claim, now: Millis): boolean {
  if (!canKeep(record, endpoint, claim.reporter)) return true;
  const known = record.endpoints.get(endpoint) ?? circuitEvidence.NO_EVIDENCE;
  const { isGranted, evidence } = circuitEvidence.claim(known, claim, now);
  record.endpoints.set(endpoint, evidence);
  return isGranted;
}

/** Drops what has expired and numbers the set of ejected endpoints anew if it changed. */
export function settle(record: CircuitRecord, now: Millis): void {
  for (const [endpoint, known] of record.endpoints) {
    const evidence = circuitEvidence.expire(known, now);
    if (circuitEvidence.isEmpty(evidence)) record.endpoints.delete(endpoint);
    else record.endpoints.set(endpoint, evidence);
  }
  const ejected = [...record.endpoints]
    .filter(([, { isEjected }]) => isEjected)
    .map(([endpoint]) => endpoint);
  ejected.sort();
  if (isSame(ejected, record.ejected)) return;
  record.ejected = ejected;
  record.sequence = Math.max(record.sequence + 1, now);
}

/** When the next endpoint's evidence will have expired; `null` when there is none. */
export function nextExpiry(record: CircuitRecord): Millis | null {
  const times = [...record.endpoints.values()].map(circuitEvidence.expiresAt);
  return times.length === 0 ? null : Math.min(...times);
}

function canKeep(record: CircuitRecord, endpoint: string, reporter: string): boolean {
  if (endpoint.length > MAX_ENDPOINT_LENGTH || reporter.length > MAX_REPORTER_LENGTH) return false;
  return record.endpoints.has(endpoint) || record.endpoints.size < MAX_ENDPOINTS;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

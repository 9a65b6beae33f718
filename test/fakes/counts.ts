/** What a host counts of itself, for tests. */
import type { HostCounters } from "../../shared/wire/call-record.ts";

/** Of a host to which nothing has happened. */
export const NO_COUNTS: HostCounters = {
  staleCalls: 0,
  syncs: 0,
  failedSyncs: 0,
  refusedSnapshots: 0,
  retries: 0,
  overflowedCalls: 0,
  droppedMirrors: 0,
  openedCircuits: 0,
  ejections: 0,
  shadowedCalls: 0,
  auditedCalls: 0,
  trialDenials: 0,
  longCalls: 0,
  cutCalls: 0,
};

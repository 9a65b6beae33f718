/**
 * What a joined Worker says of itself and its calls, held to who it is:
 * its binding's identity takes the place of whatever it claims, so that no
 * Worker can speak for another.
 *
 * @module
 */
import type { Caller } from "../shared/engine/authorize.ts";
import { workloadOf } from "../shared/forward/call.ts";
import type { CallReport } from "../shared/wire/call-record.ts";
import type { CircuitReport } from "../shared/wire/rpc.ts";

/** An isolate's name is a UUID; one that is longer is cut, so that what objects keep stays bounded. */
const MAX_NAME_LENGTH = 64;

/** The name of an isolate of a Worker: no other Worker's has it. */
export function reporterOf(caller: Caller, reporter: string): string {
  return `${workloadOf(caller)}#${reporter.slice(0, MAX_NAME_LENGTH)}`;
}

/** A report of calls, of which the Worker itself made every one. It records what its own namespace's workloads decided. */
export function vouchedCalls(caller: Caller, report: CallReport): CallReport {
  const source = workloadOf(caller);
  const series = report.series.map((each) => ({ ...each, labels: { ...each.labels, source } }));
  const vouched = { ...report, reporter: reporterOf(caller, report.reporter), series };
  if (report.calls === undefined) return vouched;
  const own = `workload:${caller.namespace}/`;
  return { ...vouched, calls: report.calls.filter(({ call }) => call.unit.startsWith(own)) };
}

/**
 * Whether a bucket is of a limit of the Worker's own namespace, named as the
 * compiler names limits. RateLimitPolicies are about services of the namespace
 * that they stand in, so no Worker is asked to keep any other.
 */
export function isOwnLimit({ namespace }: Caller, policy: string): boolean {
  return LIMIT.exec(policy)?.[1] === namespace;
}

/** `namespace/policy[index]`. */
const LIMIT = /^([a-z0-9-]{1,63})\/[a-z0-9.-]{1,253}\[\d{1,2}\]$/;

/** Reports of circuits that an isolate of the Worker keeps. */
export function vouchedCircuits(caller: Caller, reports: readonly CircuitReport[]): readonly CircuitReport[] {
  return reports.map((report) => ({ ...report, reporter: reporterOf(caller, report.reporter) }));
}

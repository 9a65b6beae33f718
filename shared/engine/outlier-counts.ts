/**
 * Counting how calls to an endpoint end, for outlier detection: one at a time,
 * or many that somebody else has counted.
 *
 * @module
 */

/** How a call to an endpoint ended. A gateway error is a 502, 503 or 504; a local failure brought no answer. */
export type CallEnd = "answer" | "server-error" | "gateway-error" | "local-failure";

/** Failures in a row, up to the newest call. */
export interface InARow {
  /** Failures without an answer are among these two unless they are split. */
  readonly serverErrors: number;
  readonly gatewayErrors: number;
  readonly localFailures: number;
}

/** Calls to one endpoint over some time, by how they ended. */
export interface Counts {
  readonly calls: number;
  /** Answers of 500 and above. */
  readonly serverErrors: number;
  /** Of those, 502, 503 and 504. */
  readonly gatewayErrors: number;
  /** Calls without an answer: refused, reset, timed out. */
  readonly localFailures: number;
  readonly inARow: InARow;
}

/** What one host saw of one endpoint since its last report. */
export interface OutcomeCounts extends Counts {
  readonly endpoint: string;
}

/** The part of a policy that counting goes by. */
export interface Splitting {
  /** Failures without an answer are counted apart from 5xx (Envoy's `split_external_local_origin_errors`). */
  readonly splitsLocalFailures: boolean;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** `Counts` in the making. Owned and kept by the host, changed by `count` and `merge`. */
export interface Counting extends Writable<Counts> {
  inARow: Writable<InARow>;
}

/** Counts that have seen nothing. */
export function noCounts(): Counting {
  return {
    calls: 0,
    serverErrors: 0,
    gatewayErrors: 0,
    localFailures: 0,
    inARow: { serverErrors: 0, gatewayErrors: 0, localFailures: 0 },
  };
}

/** Counts one call. */
export function count(counting: Counting, end: CallEnd, { splitsLocalFailures }: Splitting): void {
  const { inARow } = counting;
  counting.calls += 1;
  switch (end) {
    case "answer":
      inARow.serverErrors = 0;
      inARow.gatewayErrors = 0;
      inARow.localFailures = 0;
      return;
    case "server-error":
    case "gateway-error":
      counting.serverErrors += 1;
      inARow.serverErrors += 1;
      inARow.localFailures = 0;
      if (end === "gateway-error") {
        counting.gatewayErrors += 1;
        inARow.gatewayErrors += 1;
      } else inARow.gatewayErrors = 0;
      return;
    case "local-failure":
      counting.localFailures += 1;
      inARow.localFailures += 1;
      // What a proxy in between would have answered with 503 or 504.
      if (splitsLocalFailures) return;
      inARow.serverErrors += 1;
      inARow.gatewayErrors += 1;
  }
}

/** Adds later counts. What is in a row goes on in them unless something else came in between. */
export function merge(counting: Counting, later: Counts, { splitsLocalFailures }: Splitting): void {
  const { inARow } = counting;
  counting.calls += later.calls;
  counting.serverErrors += later.serverErrors;
  counting.gatewayErrors += later.gatewayErrors;
  counting.localFailures += later.localFailures;
  const told = splitsLocalFailures ? later.calls - later.localFailures : later.calls;
  inARow.serverErrors = joined(inARow.serverErrors, later.inARow.serverErrors, told);
  inARow.gatewayErrors = joined(inARow.gatewayErrors, later.inARow.gatewayErrors, told);
  inARow.localFailures = joined(inARow.localFailures, later.inARow.localFailures, later.calls);
}

function joined(before: number, later: number, calls: number): number {
  return later < calls ? later : before + later;
}

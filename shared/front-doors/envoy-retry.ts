/**
 * Retry conditions in Envoy's words, which Istio and Consul share.
 *
 * @module
 */
import type { Report } from "./translation.ts";

/** What each condition of Envoy's covers here. An empty list: cannot happen over the platform's `fetch`. */
const CONDITIONS: Readonly<Record<string, readonly string[]>> = {
  "5xx": ["5xx", "connect-failure", "reset"],
  "gateway-error": ["gateway-error"],
  reset: ["connect-failure", "reset"],
  "reset-before-request": ["connect-failure"],
  "connect-failure": ["connect-failure"],
  "refused-stream": [],
  "http3-post-connect-failure": [],
  "retriable-4xx": ["retriable-4xx"],
  "retriable-status-codes": [],
  "envoy-ratelimited": ["rate-limited"],
  cancelled: ["cancelled"],
  "deadline-exceeded": ["deadline-exceeded"],
  internal: ["internal"],
  "resource-exhausted": ["resource-exhausted"],
  unavailable: ["unavailable"],
};

/** What a list of conditions asks for: conditions of the mesh's own, and statuses. */
export interface RetryOn {
  readonly on: readonly string[];
  readonly codes: readonly number[];
}

/** Reads a list of conditions and statuses; what is unknown is a problem at `path`. */
export function translateRetryOn(terms: readonly string[], path: string, report: Report): RetryOn {
  const codes = terms.filter((term) => /^[0-9]+$/.test(term)).map(Number);
  const conditions = terms.filter((term) => term !== "" && !/^[0-9]+$/.test(term));
  for (const condition of conditions) {
    if (Object.hasOwn(CONDITIONS, condition)) continue;
    report.problem(path, `not supported: ${condition}; known: ${Object.keys(CONDITIONS).join(", ")}`);
  }
  const on = conditions.flatMap((condition) => CONDITIONS[condition] ?? []);
  return { on: [...new Set(on)], codes };
}

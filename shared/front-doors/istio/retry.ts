/**
 * Istio's retry conditions, which are Envoy's.
 *
 * @module
 */
import type { VirtualRule } from "../../wire/resources/virtual-service.ts";
import { toDuration } from "../time.ts";
import { present, some, type Report } from "../translation.ts";

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

/** Istio's, where `retryOn` is left out. */
const DEFAULT_CONDITIONS = "connect-failure,refused-stream,unavailable,cancelled";

/**
 * Retries of an HTTPRoute. Istio retries whatever the method is, so that
 * `anyMethod` says so; the mesh's own default spares calls that are not
 * idempotent.
 */
export function translateRetries(
  retries: NonNullable<VirtualRule["retries"]>,
  path: string,
  report: Report,
): object {
  const { attempts, retryOn, backoff } = retries;
  if (attempts === 0) return { attempts: 0 };
  const terms = (retryOn ?? DEFAULT_CONDITIONS).split(",").map((term) => term.trim());
  const codes = terms.filter((term) => /^[0-9]+$/.test(term)).map(Number);
  const conditions = terms.filter((term) => term !== "" && !/^[0-9]+$/.test(term));
  for (const condition of conditions) {
    if (!Object.hasOwn(CONDITIONS, condition)) {
      report.problem(
        `${path}.retryOn`,
        `not supported: ${condition}; known: ${Object.keys(CONDITIONS).join(", ")}`,
      );
    }
  }
  if (retries.retryRemoteLocalities === true) report.note(`${path}.retryRemoteLocalities`, NO_LOCALITY);
  return present({
    attempts,
    on: [...new Set(conditions.flatMap((condition) => CONDITIONS[condition] ?? []))],
    codes: some(codes),
    backoff: backoff === undefined ? undefined : toDuration(backoff),
    anyMethod: true,
  });
}

const NO_LOCALITY = "has no effect: endpoints have no locality, so every endpoint is tried";

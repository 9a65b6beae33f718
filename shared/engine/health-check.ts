/**
 * Active health checks as data: what a service's endpoints are asked, and what
 * their answers make of them. Whoever checks keeps each endpoint's standing.
 *
 * @module
 */
import type { Address, Health } from "./endpoint.ts";
import type { Millis } from "./time.ts";

/** Statuses from `first` to `last`, both included. */
export interface StatusRange {
  readonly first: number;
  readonly last: number;
}

/** What is asked of an endpoint. */
export type Probe =
  | {
      /** A GET, content with a status in one of the ranges. */
      readonly kind: "http";
      readonly path: string;
      /** The host that Workers see, `null` for the service's name. An origin sees its own: `fetch` takes it from the URL. */
      readonly host: string | null;
      readonly statuses: readonly StatusRange[];
    }
  /** Content once a TCP connection stands. Only for endpoints with an origin's address. */
  | { readonly kind: "tcp" }
  /** gRPC's own protocol, content with SERVING. Only for endpoints with an origin's address. */
  | {
      readonly kind: "grpc";
      /** Which service is meant; empty for the server as a whole. */
      readonly service: string;
    };

/** A service's check, with defaults filled in. */
export interface HealthCheck {
  readonly probe: Probe;
  /** From the beginning of one round to that of the next. At least 1,000. */
  readonly intervalMs: Millis;
  /** Up to this much is added to each interval, at random. */
  readonly jitterMs: Millis;
  /** For one probe; never above the interval. */
  readonly timeoutMs: Millis;
  /** Successes in a row after which an unhealthy endpoint is healthy. At least 1. */
  readonly healthyThreshold: number;
  /** Failures in a row after which a healthy endpoint is unhealthy. At least 1. */
  readonly unhealthyThreshold: number;
  /** What an endpoint is taken for before its first verdict. */
  readonly initial: "healthy" | "unhealthy";
}

/** What the checks so far make of one endpoint. */
export type Standing =
  /** There is no verdict yet. */
  | { readonly kind: "new"; readonly failures: number }
  | {
      readonly kind: "healthy";
      /** In a row, below the threshold. */
      readonly failures: number;
      /** When it came back, for a slow start; `null` where it was never gone. */
      readonly since: Millis | null;
    }
  /** `successes` in a row, below the threshold. */
  | { readonly kind: "unhealthy"; readonly successes: number };

/** An endpoint that has not been checked. */
export const NEW: Standing = { kind: "new", failures: 0 };

/**
 * Folds one answer into a standing.
 *
 * Only answers in a row count, so that an endpoint that flaps stays what it
 * was. The first success of a new endpoint is enough, as Envoy has it: nothing
 * is known against it. A lost answer (the checker died on the way) is none.
 */
export function record(standing: Standing, check: HealthCheck, isSuccess: boolean, now: Millis): Standing {
  return isSuccess ? succeed(standing, check, now) : fail(standing, check);
}

function succeed(standing: Standing, check: HealthCheck, now: Millis): Standing {
  switch (standing.kind) {
    case "new":
      return { kind: "healthy", failures: 0, since: check.initial === "unhealthy" ? now : null };
    case "healthy":
      return standing.failures === 0 ? standing : { ...standing, failures: 0 };
    case "unhealthy": {
      const successes = standing.successes + 1;
      return successes < check.healthyThreshold
        ? { kind: "unhealthy", successes }
        : { kind: "healthy", failures: 0, since: now };
    }
  }
}

function fail(standing: Standing, check: HealthCheck): Standing {
  if (standing.kind === "unhealthy") return standing.successes === 0 ? standing : UNHEALTHY;
  const failures = standing.failures + 1;
  return failures < check.unhealthyThreshold ? { ...standing, failures } : UNHEALTHY;
}

const UNHEALTHY: Standing = { kind: "unhealthy", successes: 0 };

/** A verdict as it is published. */
export interface Verdict {
  readonly health: "healthy" | "unhealthy";
  /** When the endpoint came back; absent where it was never gone. */
  readonly since?: Millis;
}

/** What to publish of a standing; `null` where it says no more than the check's initial state does. */
export function verdictOf(standing: Standing, check: HealthCheck): Verdict | null {
  switch (standing.kind) {
    case "new":
      return null;
    case "healthy":
      if (standing.since !== null) return { health: "healthy", since: standing.since };
      return check.initial === "healthy" ? null : { health: "healthy" };
    case "unhealthy":
      // Told even when it is also the initial state: an initial state may change while a verdict stands.
      return { health: "unhealthy" };
  }
}

/**
 * The health of an endpoint, by what it says itself (its lease, its
 * EndpointSlice) and what checks say. A check cannot make well what is ill.
 */
export function healthOf(own: Health, check: HealthCheck | null, verdict: Verdict | undefined): Health {
  if (own !== "healthy" || check === null) return own;
  return verdict?.health ?? check.initial;
}

/** Whether a check can be made at an address: a Worker has no port to connect to. */
export function reaches({ probe }: HealthCheck, address: Address): boolean {
  return probe.kind === "http" || address.kind === "origin";
}

/**
 * Whether a status is expected. Redirects never are, whatever the ranges say:
 * they are not followed, and where they lead is not the endpoint.
 */
export function isExpected(status: number, ranges: readonly StatusRange[]): boolean {
  if (status >= 300 && status <= 399) return false;
  return ranges.some(({ first, last }) => status >= first && status <= last);
}

/** How long after the beginning of a round the next one begins. `random` is in [0, 1). */
export function pauseMs({ intervalMs, jitterMs }: HealthCheck, random: number): Millis {
  return intervalMs + Math.floor(jitterMs * random);
}

/**
 * Health checks: what a service's policy asks of its endpoints, whom to ask,
 * and what the answers make of their health.
 *
 * @module
 */
import { healthOf, reaches, type HealthCheck, type Probe, type Verdict } from "../engine/health-check.ts";
import type { Health } from "../engine/endpoint.ts";
import type { Millis } from "../engine/time.ts";
import { parseDuration } from "../wire/duration.ts";
import { parseStatuses, type HealthCheckSpec } from "../wire/resources/health-check.ts";
import { endpointId, type Member } from "./members.ts";
import type { Space } from "./state.ts";

/**
 * What holds where a check leaves something out: Kubernetes' period and
 * time-out, HAProxy's rise and fall, Consul's statuses.
 */
const DEFAULT_CHECK = {
  intervalMs: 10_000,
  timeoutMs: 1_000,
  healthyThreshold: 2,
  unhealthyThreshold: 3,
  statuses: [{ first: 200, last: 299 }],
} as const;

/** Reads a policy's check; `null` without one. */
export function compileCheck(spec: HealthCheckSpec | undefined): HealthCheck | null {
  if (spec === undefined) return null;
  const intervalMs = parseDuration(spec.interval ?? "") ?? DEFAULT_CHECK.intervalMs;
  return {
    probe: compileProbe(spec),
    intervalMs,
    jitterMs: parseDuration(spec.jitter ?? "") ?? intervalMs / 10,
    timeoutMs: parseDuration(spec.timeout ?? "") ?? DEFAULT_CHECK.timeoutMs,
    healthyThreshold: spec.healthyThreshold ?? DEFAULT_CHECK.healthyThreshold,
    unhealthyThreshold: spec.unhealthyThreshold ?? DEFAULT_CHECK.unhealthyThreshold,
    initial: spec.initialState === "Unhealthy" ? "unhealthy" : "healthy",
  };
}

function compileProbe({ type, path, host, expectedStatuses, service }: HealthCheckSpec): Probe {
  if (type === "TCP") return { kind: "tcp" };
  if (type === "GRPC") return { kind: "grpc", service: service ?? "" };
  const statuses = expectedStatuses?.map(parseStatuses) ?? DEFAULT_CHECK.statuses;
  return { kind: "http", path: path ?? "/", host: host ?? null, statuses };
}

/** An endpoint's health in a service, and since when it counts as new there. */
export interface Condition {
  readonly health: Health;
  readonly since: Millis | null;
}

/** What its own word and the checks of a service say of a member. */
export function conditionOf(
  { checked }: Space,
  service: string,
  member: Member,
  check: HealthCheck | null,
): Condition {
  const { health, since } = member;
  if (check === null || !reaches(check, member.address)) return { health, since };
  const verdict: Verdict | undefined = checked.get(service)?.get(endpointId(member, service));
  return { health: healthOf(health, check, verdict), since: latest(since, verdict?.since) };
}

function latest(a: Millis | null, b: Millis | undefined): Millis | null {
  return b === undefined ? a : Math.max(a ?? b, b);
}

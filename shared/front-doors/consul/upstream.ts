/**
 * What service-defaults of callers say of a service that they call. The mesh
 * has one policy for a service, whoever calls: callers must agree.
 *
 * @module
 */
import type { ServiceDefaultsSpec } from "../../wire/resources/consul.ts";
import { concurrencyOf } from "../envoy-limits.ts";
import { formatDuration, toDuration } from "../time.ts";
import { present, type Report } from "../translation.ts";
import type { Entries, Name } from "./chain.ts";

type Override = NonNullable<ServiceDefaultsSpec["upstreamConfig"]>["overrides"][number];

/** The parts of a TrafficPolicy that callers have a say in. */
export interface Upstream {
  /** Before the resolver's. */
  readonly connectTimeout: string | undefined;
  readonly settings: object;
}

/** What the callers of a service say of it. */
export function upstreamOf(entries: Entries, service: Name, report: Report): Upstream {
  const told = entries.callers(service).flatMap((caller) => {
    const overrides = caller.spec.upstreamConfig?.overrides ?? [];
    const override = overrides.find(({ name }) => name === service.name);
    return override === undefined ? [] : [{ caller: caller.metadata.name, upstream: read(override) }];
  });
  const [first] = told;
  if (first === undefined) return { connectTimeout: undefined, settings: {} };
  const names = told
    .map(({ caller }) => caller)
    .sort()
    .join(", ");
  if (new Set(told.map(({ upstream }) => JSON.stringify(upstream))).size > 1) {
    report.problem(
      "spec.upstreamConfig",
      `${names} say different things of ${service.name}: its policy is one, whoever calls`,
    );
  }
  report.note("spec.upstreamConfig", `what ${names} say of ${service.name} holds for every caller`);
  return first.upstream;
}

/** What a service's own defaults say of others and cannot be carried out. */
export function reportOnUpstreams(entries: Entries, service: Name, report: Report): void {
  const { overrides = [] } = entries.defaults(service)?.spec.upstreamConfig ?? {};
  overrides.forEach((override, index) => {
    const path = `spec.upstreamConfig.overrides[${index}]`;
    if (!isAtHome(override, service)) {
      report.problem(
        `${path}.namespace`,
        `${override.name} has its policy in its own namespace: write a TrafficPolicy there`,
      );
    }
    for (const field of ["protocol", "meshGateway", "balanceOutboundConnections"] as const) {
      if (override[field] !== undefined) {
        report.note(`${path}.${field}`, "has no effect: the platform keeps the connections");
      }
    }
  });
}

/** The services, of its own namespace, of which a service's defaults say something. */
export function upstreamsOf(entries: Pick<Entries, "defaults">, service: Name): Name[] {
  const { overrides = [] } = entries.defaults(service)?.spec.upstreamConfig ?? {};
  return overrides
    .filter((override) => isAtHome(override, service))
    .map(({ name }) => ({ namespace: service.namespace, name }));
}

/** A namespace says for itself how its services are called. */
function isAtHome(override: Override, { namespace }: Name): boolean {
  return (override.namespace ?? namespace) === namespace;
}

function read({ connectTimeoutMs, limits, passiveHealthCheck }: Override): Upstream {
  return {
    connectTimeout: connectTimeoutMs === undefined ? undefined : formatDuration(connectTimeoutMs),
    settings: present({
      concurrency:
        limits === undefined
          ? undefined
          : concurrencyOf({
              maxConnections: limits.maxConnections,
              maxPendingRequests: limits.maxPendingRequests,
              maxRequests: limits.maxConcurrentRequests,
            }),
      outlierDetection: passiveHealthCheck === undefined ? undefined : outlierOf(passiveHealthCheck),
      // Consul: panic is off for every upstream.
      panicThreshold: passiveHealthCheck === undefined ? undefined : 0,
    }),
  };
}

/** What Consul leaves out is Envoy's default, as here. */
function outlierOf(check: NonNullable<Override["passiveHealthCheck"]>): object {
  const { interval, baseEjectionTime, maxEjectionPercent, maxFailures, enforcingConsecutive5xx } = check;
  return present({
    interval: interval === undefined ? undefined : toDuration(interval),
    baseEjectionTime: baseEjectionTime === undefined ? undefined : toDuration(baseEjectionTime),
    maxEjectionPercent,
    // 0 failures is Consul's "not said".
    consecutive5xxErrors: enforcingConsecutive5xx === 0 ? 0 : maxFailures || undefined,
  });
}

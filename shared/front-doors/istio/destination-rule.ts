/**
 * DestinationRule into TrafficPolicy.
 *
 * @module
 */
import type { DestinationRuleSpec, DestinationTraffic } from "../../wire/resources/destination-rule.ts";
import { concurrencyOf, queues, type EnvoyLimits } from "../envoy-limits.ts";
import { toDuration } from "../time.ts";
import {
  conclude,
  derivedName,
  documentOf,
  openReport,
  present,
  some,
  type Foreign,
  type Report,
  type Translation,
} from "../translation.ts";
import { serviceOf } from "./host.ts";
import { localityOf } from "./locality.ts";

/** Translates a DestinationRule. Subsets stay names, so that routes may come before or after them. */
export function translateDestinationRule(document: Foreign<DestinationRuleSpec>): Translation {
  const { metadata, spec } = document;
  const report = openReport(document);
  const service = serviceOf(spec.host, metadata.namespace);
  if (service.namespace !== metadata.namespace) {
    report.problem("spec.host", `is of another namespace: apply the DestinationRule in ${service.namespace}`);
  }
  if (spec.exportTo.length > 0 && !spec.exportTo.includes("*")) {
    report.problem("spec.exportTo", "not supported: a service's policy holds for every caller");
  }
  const subsets = spec.subsets.map(({ name, labels, trafficPolicy }, index) => ({
    name,
    labels,
    ...trafficOf(trafficPolicy, `spec.subsets[${index}].trafficPolicy`, report),
  }));
  const content = present({
    targetRefs: [{ group: "", kind: "Service", name: service.name }],
    ...trafficOf(spec.trafficPolicy, "spec.trafficPolicy", report),
    subsets: some(subsets),
  });
  return conclude(report, [
    documentOf(document, { kind: "TrafficPolicy", name: derivedName(document), spec: content }),
  ]);
}

/** The fields of a TrafficPolicy, or of a subset's part of it. */
function trafficOf(policy: DestinationTraffic | undefined, path: string, report: Report): object {
  if (policy === undefined) return {};
  reportOn(policy, path, report);
  const connectTimeout = policy.connectionPool?.tcp?.connectTimeout;
  return present({
    loadBalancer: balancerOf(policy.loadBalancer),
    slowStart: slowStartOf(policy.loadBalancer),
    timeouts: connectTimeout === undefined ? undefined : { connect: toDuration(connectTimeout) },
    retry: budgetOf(policy.retryBudget),
    concurrency: concurrencyOf(limitsOf(policy)),
    locality: localityOf(policy.loadBalancer?.localityLbSetting),
    ...outlierOf(policy.outlierDetection),
  });
}

function balancerOf(spec: DestinationTraffic["loadBalancer"]): object | undefined {
  const hash = spec?.consistentHash;
  if (hash !== undefined) {
    const hashKey = [hashKeyOf(hash)];
    if (hash.maglev !== undefined)
      return present({ type: "Maglev", hashKey, tableSize: hash.maglev.tableSize });
    const minimumRingSize = hash.ringHash?.minimumRingSize ?? hash.minimumRingSize;
    return present({ type: "RingHash", hashKey, minimumRingSize });
  }
  switch (spec?.simple) {
    case "RANDOM":
      return { type: "Random" };
    case "ROUND_ROBIN":
      return { type: "RoundRobin" };
    case "LEAST_CONN":
    case "LEAST_REQUEST":
      return { type: "LeastRequest" };
    case "UNSPECIFIED":
    case undefined:
      return undefined;
  }
}

function hashKeyOf(
  hash: NonNullable<NonNullable<DestinationTraffic["loadBalancer"]>["consistentHash"]>,
): object {
  const { httpHeaderName, httpQueryParameterName, httpCookie } = hash;
  if (httpHeaderName !== undefined) return { type: "Header", name: httpHeaderName };
  if (httpQueryParameterName !== undefined) return { type: "QueryParam", name: httpQueryParameterName };
  if (httpCookie === undefined) return { type: "SourceIP" };
  const { name, path, ttl } = httpCookie;
  return present({ type: "Cookie", name, path, ttl: ttl === undefined ? undefined : toDuration(ttl) });
}

function slowStartOf(spec: DestinationTraffic["loadBalancer"]): object | undefined {
  const duration = durationOfWarmup(spec);
  if (duration === undefined || !warmsUp(spec)) return undefined;
  const { minimumPercent, aggression } = spec?.warmup ?? {};
  return present({ window: toDuration(duration), minimumPercent, aggression });
}

function durationOfWarmup(spec: DestinationTraffic["loadBalancer"]): string | undefined {
  return spec?.warmup?.duration ?? spec?.warmupDurationSecs;
}

/** Istio: with round robin and least request, of which the latter is the default. */
function warmsUp(spec: DestinationTraffic["loadBalancer"]): boolean {
  return spec?.consistentHash === undefined && spec?.simple !== "RANDOM";
}

function budgetOf(budget: DestinationTraffic["retryBudget"]): object | undefined {
  if (budget === undefined) return undefined;
  const { percent, minRetryConcurrency, budgetInterval } = budget;
  const window = budgetInterval === undefined ? undefined : toDuration(budgetInterval);
  return { budget: present({ percent, minPerSecond: minRetryConcurrency, window }) };
}

/** 0 is no limit in Istio. Envoy asks a budget in place of `maxRetries`. */
function limitsOf({ connectionPool, retryBudget }: DestinationTraffic): EnvoyLimits {
  const { tcp, http } = connectionPool ?? {};
  return {
    maxConnections: tcp?.maxConnections || undefined,
    maxPendingRequests: http?.http1MaxPendingRequests || undefined,
    maxRequests: http?.http2MaxRequests || undefined,
    maxRetries: retryBudget === undefined ? http?.maxRetries || undefined : undefined,
  };
}

/** Istio's defaults: Envoy's, but for success rates and panic, which are off. */
function outlierOf(spec: DestinationTraffic["outlierDetection"]): object {
  if (spec === undefined) return {};
  const { interval, baseEjectionTime, minHealthPercent, splitExternalLocalOriginErrors: isSplit } = spec;
  return {
    outlierDetection: present({
      interval: interval === undefined ? undefined : toDuration(interval),
      baseEjectionTime: baseEjectionTime === undefined ? undefined : toDuration(baseEjectionTime),
      // 0 is Istio's "not said", here and for local failures.
      maxEjectionPercent: spec.maxEjectionPercent || undefined,
      consecutive5xxErrors: spec.consecutive5xxErrors,
      consecutiveGatewayErrors: spec.consecutiveGatewayErrors,
      splitExternalLocalOriginErrors: isSplit,
      consecutiveLocalOriginFailures:
        isSplit === true ? spec.consecutiveLocalOriginFailures || undefined : undefined,
      successRate: false,
    }),
    panicThreshold: minHealthPercent ?? 0,
  };
}

/** What has no equivalent, each with what holds instead. */
function reportOn(policy: DestinationTraffic, path: string, report: Report): void {
  reportOnPool(policy, `${path}.connectionPool`, report);
  const { loadBalancer, outlierDetection, retryBudget, tls } = policy;
  const note = (field: string, message: string) => report.note(`${path}.${field}`, message);
  if (durationOfWarmup(loadBalancer) !== undefined && !warmsUp(loadBalancer)) {
    note("loadBalancer.warmup", "has no effect with RANDOM and consistentHash, as in Istio");
  }
  if (outlierDetection?.consecutiveErrors !== undefined) {
    note(
      "outlierDetection.consecutiveErrors",
      "has no effect, as in Istio by now: write consecutive5xxErrors or consecutiveGatewayErrors",
    );
  }
  if (
    outlierDetection?.consecutiveLocalOriginFailures !== undefined &&
    outlierDetection.splitExternalLocalOriginErrors !== true
  ) {
    note(
      "outlierDetection.consecutiveLocalOriginFailures",
      "has no effect without splitExternalLocalOriginErrors, as in Istio",
    );
  }
  if (retryBudget?.minRetryConcurrency !== undefined) {
    note(
      "retryBudget.minRetryConcurrency",
      "retries are counted by the second here, not by how many run at once",
    );
  }
  if (tls !== undefined) {
    note(
      "tls",
      "has no effect: an endpoint's address says whether TLS is spoken, and tokens prove who calls",
    );
  }
}

const LIMITS: Readonly<Record<"tcp" | "http", readonly string[]>> = {
  tcp: ["connectTimeout", "maxConnections"],
  http: ["http1MaxPendingRequests", "http2MaxRequests", "maxRetries"],
};

function reportOnPool(policy: DestinationTraffic, path: string, report: Report): void {
  const { tcp = {}, http = {} } = policy.connectionPool ?? {};
  for (const [part, fields] of [
    ["tcp", tcp],
    ["http", http],
  ] as const) {
    for (const field of Object.keys(fields).filter((one) => !LIMITS[part].includes(one))) {
      report.note(`${path}.${part}.${field}`, "has no effect: the platform keeps the connections");
    }
  }
  const limits = limitsOf(policy);
  if (limits.maxPendingRequests !== undefined && !queues(limits)) {
    report.note(
      `${path}.http.http1MaxPendingRequests`,
      "has no effect: calls wait only where tcp.maxConnections is the lower limit",
    );
  }
  if (http.maxRetries && policy.retryBudget !== undefined) {
    report.note(`${path}.http.maxRetries`, "has no effect beside retryBudget, as in Envoy");
  }
}

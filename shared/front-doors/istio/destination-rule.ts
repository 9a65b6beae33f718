/**
 * DestinationRule into TrafficPolicy.
 *
 * @module
 */
import type { DestinationRuleSpec, DestinationTraffic } from "../../wire/resources/destination-rule.ts";
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
    retry: budgetOf(policy),
    ...circuitOf(policy.outlierDetection),
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
  const duration = spec?.warmup?.duration ?? spec?.warmupDurationSecs;
  if (duration === undefined) return undefined;
  const { minimumPercent, aggression } = spec?.warmup ?? {};
  return present({ window: toDuration(duration), minimumPercent, aggression });
}

/**
 * Envoy's limits are numbers of retries in flight, the mesh's are numbers a
 * second: the same where a retry takes a second, stricter where it is faster.
 */
function budgetOf({ retryBudget, connectionPool }: DestinationTraffic): object | undefined {
  const maxRetries = connectionPool?.http?.maxRetries;
  if (retryBudget !== undefined) {
    return {
      budget: present({ percent: retryBudget.percent, minPerSecond: retryBudget.minRetryConcurrency }),
    };
  }
  return maxRetries === undefined ? undefined : { budget: { percent: 0, minPerSecond: maxRetries } };
}

/** Istio's default, Envoy's too. */
const FAILURES = 5;
/** As good as never: the circuit cannot be turned off. */
const NEVER = 10_000;

function circuitOf(spec: DestinationTraffic["outlierDetection"]): object {
  if (spec === undefined) return {};
  const { consecutive5xxErrors, consecutiveGatewayErrors, consecutiveErrors } = spec;
  const counts = [consecutive5xxErrors ?? consecutiveErrors ?? FAILURES, consecutiveGatewayErrors ?? 0];
  const failures = Math.min(...counts.filter((count) => count > 0), NEVER);
  return {
    circuitBreaker: {
      consecutiveFailures: failures,
      openFor: toDuration(spec.baseEjectionTime ?? "30s"),
      // Only where everything may be ejected may nothing be left to call.
      rejects: spec.maxEjectionPercent === 100,
    },
    // Istio: 0 where outlier detection is configured.
    panicThreshold: spec.minHealthPercent ?? 0,
  };
}

/** What has no equivalent, each with what holds instead. */
function reportOn(
  { connectionPool, outlierDetection, retryBudget, tls }: DestinationTraffic,
  path: string,
  report: Report,
): void {
  const { tcp = {}, http = {} } = connectionPool ?? {};
  const kept: Readonly<Record<string, readonly string[]>> = { tcp: ["connectTimeout"], http: ["maxRetries"] };
  for (const [part, fields] of Object.entries({ tcp, http })) {
    for (const field of Object.keys(fields)) {
      if (kept[part]?.includes(field) === true) continue;
      report.note(
        `${path}.connectionPool.${part}.${field}`,
        "has no effect: the platform keeps the connections",
      );
    }
  }
  const {
    interval,
    maxEjectionPercent,
    consecutiveGatewayErrors,
    consecutiveLocalOriginFailures,
    splitExternalLocalOriginErrors,
  } = outlierDetection ?? {};
  const at = `${path}.outlierDetection`;
  if (interval !== undefined)
    report.note(`${at}.interval`, "has no effect: each failure is counted as it happens");
  if (maxEjectionPercent !== undefined && maxEjectionPercent < 100) {
    report.note(
      `${at}.maxEjectionPercent`,
      "below 100 endpoints are shut out one by one, and all are called when none would be left",
    );
  }
  if ((consecutiveGatewayErrors ?? 0) > 0) {
    report.note(`${at}.consecutiveGatewayErrors`, "one counter counts every 5xx; the lower limit holds");
  }
  if (consecutiveLocalOriginFailures !== undefined || splitExternalLocalOriginErrors !== undefined) {
    report.note(
      `${at}.splitExternalLocalOriginErrors`,
      "has no effect: one counter counts connections that fail, too",
    );
  }
  if (http.maxRetries !== undefined || retryBudget?.minRetryConcurrency !== undefined) {
    report.note(`${path}.retryBudget`, "retries are counted by the second, not by how many run at once");
  }
  if (tls !== undefined) {
    report.note(
      `${path}.tls`,
      "has no effect: an endpoint's address says whether TLS is spoken, and tokens prove who calls",
    );
  }
}

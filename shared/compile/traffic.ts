/**
 * How callers reach a service: the mesh's defaults, and what policies and
 * routes change about them.
 *
 * @module
 */
import type { SessionPersistence } from "../engine/affinity.ts";
import type { Hashing, LoadBalancing } from "../engine/balance.ts";
import type { HashKey } from "../engine/hash.ts";
import type { HedgePolicy } from "../engine/hedge.ts";
import type { OverloadPolicy } from "../engine/overload.ts";
import type { PathLevel } from "../engine/path.ts";
import type { Priority } from "../engine/priority.ts";
import type { RetryPolicy } from "../engine/retry.ts";
import type { SlowStart } from "../engine/slow-start.ts";
import type { TrafficPolicy } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import type { Timeouts } from "../engine/timeout.ts";
import { parseDuration } from "../wire/duration.ts";
import type { Resource } from "../wire/resource.ts";
import type { HttpRule } from "../wire/resources/http-route.ts";
import type { LoadBalancerSpec } from "../wire/resources/load-balancer.ts";
import type { SessionPersistenceSpec } from "../wire/resources/session-persistence.ts";
import type { TrafficPolicySpec, TrafficSettings } from "../wire/resources/traffic-policy.ts";
import { compileCheck } from "./health-check.ts";
import {
  compileCircuit,
  compileConcurrency,
  compileFailover,
  compileLocality,
  compileOutlier,
  compileOverload,
} from "./resilience.ts";
import { compareText } from "./multimap.ts";
import { oldest, type Subject } from "./policy.ts";
import { spaceOf, splitName, type Space, type SubsetRule, type TrafficRule, type World } from "./state.ts";

/**
 * What holds where nothing else is said:
 * - least request of 2 choices, Istio's default in Envoy's default width;
 * - 15 s for a request, Envoy's route time-out;
 * - 2 retries, as many as Istio's, on what most likely reached nobody or a
 *   failing instance; of idempotent calls only, unless nothing was sent;
 * - back-off from 25 ms up to ten times that, Envoy's, and a budget of 20 % but
 *   at least 10 a second, over 10 s, Linkerd's;
 * - 5 failures in a row, Envoy's `consecutive_5xx`, open a circuit for 5 s; it
 *   only steers calls away, until a policy asks for a circuit breaker;
 * - panic below 50 % of usable endpoints, Envoy's threshold.
 */
export const DEFAULT_TRAFFIC: TrafficPolicy = {
  loadBalancing: { kind: "least-request", choices: 2 },
  timeouts: { requestMs: 15_000 },
  retry: {
    retries: 2,
    on: ["connect-failure", "reset", "gateway-error"],
    statusCodes: [],
    headers: [],
    backoff: { baseMs: 25, maxMs: 250 },
    anyMethod: false,
    budget: { ratio: 0.2, minPerSecond: 10, windowMs: 10_000 },
  },
  circuit: { failuresToOpen: 5, openForMs: 5_000, rejects: false },
  panicRatio: 0.5,
  hedge: null,
  affinity: null,
};

/** Reads a TrafficPolicy, ready to be applied to its targets. */
export function compileTrafficRule({ metadata, spec }: Resource<TrafficPolicySpec>): TrafficRule {
  const { name, namespace, creationTimestamp } = metadata;
  const traffic = compileTraffic(spec, namespace);
  const targets = (kind: string): ReadonlySet<string> =>
    new Set(
      spec.targetRefs
        .filter((target) => target.kind === kind)
        .map((target) =>
          target.sectionName === undefined ? target.name : `${target.name}/${target.sectionName}`,
        ),
    );
  return {
    name,
    creationTimestamp,
    services: targets("Service"),
    routes: targets("HTTPRoute"),
    gateways: targets("Gateway"),
    traffic,
    check: compileCheck(spec.healthCheck),
    isSilent: isSilent(spec),
    subsets: (spec.subsets ?? []).map((subset) => ({
      name: subset.name,
      labels: subset.labels,
      traffic: compileTraffic(subset, namespace, traffic),
      over: (base) => compileTraffic(subset, namespace, base),
    })),
    stickyBy: spec.split === undefined ? null : compileKey(spec.split.stickyBy),
    priority: spec.priority === undefined ? null : PRIORITIES[spec.priority],
    overload: spec.overload === undefined ? null : compileOverload(spec.overload),
    pathLevel: spec.pathNormalization === undefined ? null : PATH_LEVELS[spec.pathNormalization],
  };
}

/** Fields that say nothing of the service itself. */
const ASIDE = new Set(["targetRefs", "subsets", "split", "pathNormalization", "priority", "overload"]);

function isSilent(spec: TrafficPolicySpec): boolean {
  const said = Object.entries(spec).filter(([field, value]) => !ASIDE.has(field) && value !== undefined);
  return spec.subsets !== undefined && said.length === 0;
}

/**
 * The TrafficPolicy that decides for a service of the namespace: the oldest
 * that does more than name subsets. Those may come from others (an Istio
 * DestinationRule beside a policy): of one name the oldest counts.
 */
export function trafficAt({ traffic }: Space, service: string): TrafficRule | undefined {
  const rules = [...traffic.values()].filter(({ services }) => services.has(service));
  const deciding = oldest(rules.filter((rule) => !rule.isSilent)) ?? oldest(rules);
  if (deciding === undefined || rules.length === 1) return deciding;
  const subsets = new Map<string, SubsetRule>();
  for (const { subsets: named } of rules.toSorted((a, b) => (oldest([a, b]) === a ? 1 : -1))) {
    for (const subset of named)
      subsets.set(subset.name, { ...subset, traffic: subset.over(deciding.traffic) });
  }
  return { ...deciding, subsets: [...subsets.values()].sort((a, b) => compareText(a.name, b.name)) };
}

/**
 * How the paths of a listener's requests (`namespace/gateway/listener`) are
 * made canonical: by the policy for the listener, else by the one for its
 * gateway. `undefined` is the mesh's default.
 */
export function pathLevelOf(world: World, listener: string): PathLevel | undefined {
  const [namespace, section] = splitName(listener);
  const [gateway] = splitName(section);
  const rules = [...spaceOf(world, namespace).traffic.values()];
  const levels = [section, gateway].map(
    (target) => oldest(rules.filter(({ gateways }) => gateways.has(target)))?.pathLevel ?? undefined,
  );
  return levels[0] ?? levels[1];
}

const PATH_LEVELS: Readonly<Record<NonNullable<TrafficPolicySpec["pathNormalization"]>, PathLevel>> = {
  Strict: "strict",
  None: "none",
  Base: "base",
  MergeSlashes: "merge-slashes",
  DecodeAndMergeSlashes: "decode-and-merge-slashes",
};

/** Whether a service or one of its subsets has a slow start. */
export function warmsUp(rule: TrafficRule | undefined): boolean {
  const policies = rule === undefined ? [] : [rule, ...rule.subsets].map(({ traffic }) => traffic);
  return policies.some(({ loadBalancing }) => "slowStart" in loadBalancing);
}

/** What keeps the calls of a route (`namespace/name`) at one backend; `undefined` when chance decides. */
export function stickyOf(world: World, route: string): HashKey | undefined {
  const [namespace, name] = splitName(route);
  const rules = [...spaceOf(world, namespace).traffic.values()].filter(({ routes }) => routes.has(name));
  return oldest(rules)?.stickyBy ?? undefined;
}

const PRIORITIES = { High: "high", Default: "default", Low: "low" } as const;

/** The priority of a route's calls (`namespace/name`), by the oldest policy that says one; `undefined` when none does. */
export function priorityOf(world: World, route: string): Priority | undefined {
  const [namespace, name] = splitName(route);
  const rules = [...spaceOf(world, namespace).traffic.values()];
  return (
    oldest(rules.filter(({ routes, priority }) => routes.has(name) && priority !== null))?.priority ??
    undefined
  );
}

/**
 * How a workload is protected from overload: by the oldest policy that says so
 * for any of the services that it answers for.
 */
export function overloadOf(world: World, { namespace, services }: Subject): OverloadPolicy | undefined {
  const rules = [...spaceOf(world, namespace).traffic.values()].filter(
    (rule) => rule.overload !== null && services.some((service) => rule.services.has(service)),
  );
  return oldest(rules)?.overload ?? undefined;
}

/** Fills what a TrafficPolicy leaves out from the defaults, and what a subset leaves out from its service. */
export function compileTraffic(
  spec: TrafficSettings,
  namespace: string,
  base: TrafficPolicy = DEFAULT_TRAFFIC,
): TrafficPolicy {
  const { circuitBreaker, hedging, panicThreshold, retry, sessionPersistence, timeouts } = spec;
  const { concurrency, failover, locality, outlierDetection } = spec;
  return {
    ...base,
    loadBalancing: compileBalancing(spec, base.loadBalancing),
    timeouts: timeouts === undefined ? base.timeouts : compileTimeouts(timeouts),
    retry: retry === undefined ? base.retry : compileRetry(retry),
    circuit: circuitBreaker === undefined ? base.circuit : compileCircuit(circuitBreaker),
    panicRatio: panicThreshold === undefined ? base.panicRatio : panicThreshold / 100,
    hedge: hedging === undefined ? base.hedge : compileHedge(hedging),
    affinity: sessionPersistence === undefined ? base.affinity : compileSession(sessionPersistence),
    ...(outlierDetection === undefined ? {} : { outlier: compileOutlier(outlierDetection) }),
    ...(concurrency === undefined ? {} : { concurrency: compileConcurrency(concurrency) }),
    ...(locality === undefined ? {} : { locality: compileLocality(locality) }),
    ...(failover === undefined ? {} : { failover: compileFailover(failover, namespace) }),
  };
}

/** A subset's slow start may go with its service's balancer, and the other way around. */
function compileBalancing(spec: TrafficSettings, base: LoadBalancing): LoadBalancing {
  const balancing = spec.loadBalancer === undefined ? base : compileBalancer(spec.loadBalancer);
  if (balancing.kind === "ring" || balancing.kind === "maglev") return balancing;
  const known = "slowStart" in base ? base.slowStart : undefined;
  const slowStart = spec.slowStart === undefined ? known : compileSlowStart(spec.slowStart);
  return slowStart === undefined ? balancing : { ...balancing, slowStart };
}

function compileBalancer(spec: LoadBalancerSpec): LoadBalancing {
  switch (spec.type) {
    case "RoundRobin":
      return { kind: "round-robin" };
    case "Random":
      return { kind: "random" };
    case "LeastRequest":
      return { kind: "least-request", choices: spec.choiceCount ?? 2 };
    case "PeakEWMA":
      return {
        kind: "peak-ewma",
        decayMs: parseDuration(spec.decay ?? "") ?? 10_000,
        defaultRttMs: parseDuration(spec.defaultRtt ?? "") ?? 30,
      };
    case "RingHash":
      return {
        kind: "ring",
        ...compileHashing(spec),
        minSize: spec.minimumRingSize ?? 1024,
        maxSize: MAX_RING,
      };
    case "Maglev":
      return { kind: "maglev", ...compileHashing(spec), tableSize: spec.tableSize ?? 65_537 };
  }
}

/** Envoy's is 8 M; an isolate has 128 MB for all services. */
const MAX_RING = 65_536;

function compileHashing({ hashKey = [], boundFactor }: LoadBalancerSpec): Hashing {
  const maker = hashKey.find(({ ttl }) => ttl !== undefined);
  const cookie = maker && {
    name: maker.name ?? "",
    path: maker.path ?? "/",
    ttlMs: parseDuration(maker.ttl ?? "") ?? 0,
  };
  return {
    key: hashKey.map(compileKey),
    ...(boundFactor === undefined ? {} : { boundFactor: boundFactor / 100 }),
    ...(cookie === undefined ? {} : { cookie }),
  };
}

interface KeySpec {
  readonly type: "Header" | "Cookie" | "QueryParam" | "SourceIP" | "Caller" | "Claim";
  readonly name?: string | undefined;
}

function compileKey({ type, name = "" }: KeySpec): HashKey {
  switch (type) {
    case "Header":
      return { kind: "header", name: name.toLowerCase() };
    case "Cookie":
      return { kind: "cookie", name };
    case "QueryParam":
      return { kind: "query", name };
    case "SourceIP":
      return { kind: "source-ip" };
    case "Caller":
      return { kind: "caller" };
    case "Claim":
      return { kind: "claim", name };
  }
}

function compileSlowStart({
  window,
  minimumPercent = 10,
  aggression = 1,
}: NonNullable<TrafficSettings["slowStart"]>): SlowStart {
  return { windowMs: parseDuration(window) ?? 0, minShare: minimumPercent / 100, aggression };
}

function compileHedge({ after, quantile, max }: NonNullable<TrafficSettings["hedging"]>): HedgePolicy {
  return {
    afterMs: parseDuration(after ?? "") ?? 0,
    ...(quantile === undefined ? {} : { quantile: quantile / 100 }),
    max: max ?? 1,
  };
}

/** Gateway API's session persistence, of a policy or a route's rule. */
export function compileSession(spec: SessionPersistenceSpec): SessionPersistence {
  const { type, sessionName, absoluteTimeout, idleTimeout, cookieConfig } = spec;
  const isHeader = type === "Header";
  return {
    kind: isHeader ? "header" : "cookie",
    name: isHeader ? sessionName.toLowerCase() : sessionName,
    ...(absoluteTimeout === undefined ? {} : { absoluteTimeoutMs: parseDuration(absoluteTimeout) ?? 0 }),
    ...(idleTimeout === undefined ? {} : { idleTimeoutMs: parseDuration(idleTimeout) ?? 0 }),
    lifetime: cookieConfig?.lifetimeType === "Permanent" ? "permanent" : "session",
    path: cookieConfig?.path ?? "/",
  };
}

function compileRetry(spec: NonNullable<TrafficSettings["retry"]>): RetryPolicy {
  const defaults = DEFAULT_TRAFFIC.retry;
  const { percent, minPerSecond, window } = spec.budget ?? {};
  return {
    retries: spec.attempts ?? defaults.retries,
    on: spec.retryOn ?? defaults.on,
    statusCodes: spec.statusCodes ?? defaults.statusCodes,
    headers: spec.retriableHeaders ?? defaults.headers,
    backoff: compileBackoff(spec.backoff?.base, spec.backoff?.max),
    anyMethod: spec.anyMethod ?? defaults.anyMethod,
    budget: {
      ratio: percent === undefined ? defaults.budget.ratio : percent / 100,
      minPerSecond: minPerSecond ?? defaults.budget.minPerSecond,
      windowMs: parseDuration(window ?? "") ?? defaults.budget.windowMs,
    },
  };
}

/** Without a maximum ten times the base (Envoy); a maximum below the default base lowers that. */
function compileBackoff(base: string | undefined, max: string | undefined): RetryPolicy["backoff"] {
  const maxMs = parseDuration(max ?? "");
  const baseMs =
    parseDuration(base ?? "") ?? Math.min(DEFAULT_TRAFFIC.retry.backoff.baseMs, maxMs ?? Infinity);
  return { baseMs, maxMs: maxMs ?? baseMs * 10 };
}

/**
 * `0s` means no limit. Where only tries are limited, the request keeps the
 * default limit unless a single try may take longer.
 */
function compileTimeouts({ request, perTry, connect, idle }: TimeoutSpec): Timeouts {
  const [perTryMs, connectMs, idleMs] = [limitOf(perTry), limitOf(connect), limitOf(idle)];
  const defaultMs = Math.max(DEFAULT_TRAFFIC.timeouts.requestMs ?? 0, perTryMs ?? 0);
  const requestMs = request === undefined ? defaultMs : limitOf(request);
  return {
    ...(requestMs === undefined ? {} : { requestMs }),
    ...(perTryMs === undefined ? {} : { perTryMs }),
    ...(connectMs === undefined ? {} : { connectMs }),
    ...(idleMs === undefined ? {} : { idleMs }),
  };
}

interface TimeoutSpec {
  readonly request?: string | undefined;
  readonly perTry?: string | undefined;
  readonly connect?: string | undefined;
  readonly idle?: string | undefined;
}

function limitOf(duration: string | undefined): Millis | undefined {
  const ms = parseDuration(duration ?? "") ?? 0;
  return ms === 0 ? undefined : ms;
}

/** A rule's own time-outs take the place of the service's. */
export function timeoutsOf({ timeouts }: HttpRule): Timeouts | undefined {
  if (timeouts === undefined) return undefined;
  return compileTimeouts({ request: timeouts.request, perTry: timeouts.backendRequest });
}

/**
 * A rule's own retries take the place of the service's. Gateway API: broken
 * connections and time-outs are retried whenever retries are configured,
 * statuses only those in `codes`; `backoff` is the least wait before another
 * try.
 */
export function retryOf({ retry }: HttpRule): RetryPolicy | undefined {
  if (retry === undefined) return undefined;
  return {
    ...DEFAULT_TRAFFIC.retry,
    retries: retry.attempts ?? DEFAULT_TRAFFIC.retry.retries,
    on: retry.on ?? ["connect-failure", "reset", "timeout"],
    statusCodes: retry.codes,
    backoff: compileRuleBackoff(retry.backoff),
    anyMethod: retry.anyMethod ?? DEFAULT_TRAFFIC.retry.anyMethod,
  };
}

/** Jitter lies above the least wait: the first try waits up to twice as long, later ones up to ten times. */
function compileRuleBackoff(least: string | undefined): RetryPolicy["backoff"] {
  const minMs = parseDuration(least ?? "");
  if (minMs === null) return compileBackoff(undefined, undefined);
  return { baseMs: minMs * 2, maxMs: minMs * 10, minMs };
}

/**
 * A service's resolver, as a TrafficPolicy.
 *
 * @module
 */
import type { ServiceDefaultsSpec, ServiceResolverSpec } from "../../wire/resources/consul.ts";
import { formatDuration, toDuration } from "../time.ts";
import { present, some, type Report } from "../translation.ts";
import type { Entries, Name } from "./chain.ts";
import { ALL_SUBSETS, failoverOf } from "./failover.ts";
import { upstreamOf, type Upstream } from "./upstream.ts";

type Balancer = NonNullable<ServiceResolverSpec["loadBalancer"]>;

/** How callers reach the instances of a service; `undefined` when nothing is said. */
export function trafficOf(entries: Entries, service: Name, report: Report): object | undefined {
  const resolver = entries.resolver(service)?.spec;
  const defaults = entries.defaults(service)?.spec;
  const upstream = upstreamOf(entries, service, report);
  const isRedirected = resolver?.redirect !== undefined;
  const policy = {
    ...(resolver === undefined || isRedirected ? {} : resolved(entries, service, { resolver, report })),
    ...timeoutsOf(resolver, defaults, upstream),
    ...upstream.settings,
  };
  if (Object.keys(policy).length === 0) return undefined;
  return { targetRefs: [{ group: "", kind: "Service", name: service.name }], ...policy };
}

interface Resolving {
  readonly resolver: ServiceResolverSpec;
  readonly report: Report;
}

/** Consul ignores all of this where the resolver redirects. */
function resolved(entries: Entries, service: Name, { resolver, report }: Resolving): object {
  const { subsets, loadBalancer, failover, prioritizeByLocality } = resolver;
  const named = Object.entries(subsets).map(([name, { filter, onlyPassing }]) => {
    if (onlyPassing !== undefined) {
      report.note(`spec.subsets.${name}.onlyPassing`, "has no effect: an endpoint is healthy or it is not");
    }
    const standIns = failoverOf(entries, service, name, report);
    return present({ name, labels: labelsOf(filter), failover: standIns });
  });
  for (const name of Object.keys(failover)) {
    if (name !== ALL_SUBSETS && subsets[name] === undefined) {
      report.problem(`spec.failover.${name}`, "names no subset: write one of spec.subsets, or *");
    }
  }
  const hasFailover = Object.keys(failover).length > 0;
  return present({
    subsets: some(named),
    loadBalancer: loadBalancer === undefined ? undefined : balancerOf(loadBalancer, report),
    failover: failoverOf(entries, service, ALL_SUBSETS, report),
    // Consul: panic is off, so that calls go to what stands in once nothing is left.
    panicThreshold: hasFailover ? 0 : undefined,
    locality: prioritizeByLocality === undefined ? undefined : localityOf(prioritizeByLocality),
  });
}

function localityOf({ mode }: NonNullable<ServiceResolverSpec["prioritizeByLocality"]>): object {
  return { mode: mode === "failover" ? "Prefer" : "None" };
}

/** The schema lets nothing pass but equalities joined by `and`. */
function labelsOf(filter: string): Readonly<Record<string, string>> {
  const equalities = filter.matchAll(/Service\.Meta\.([A-Za-z0-9_-]+)\s*==\s*"?([A-Za-z0-9._-]+)"?/g);
  return Object.fromEntries([...equalities].map(([, key = "", value = ""]) => [key, value]));
}

const PLAIN = { random: "Random", round_robin: "RoundRobin", least_request: "LeastRequest" } as const;

function balancerOf(spec: Balancer, report: Report): object | undefined {
  const { policy, leastRequestConfig, ringHashConfig, hashPolicies } = spec;
  if (policy === undefined) return undefined;
  if (policy !== "ring_hash" && policy !== "maglev") {
    const choiceCount = policy === "least_request" ? leastRequestConfig?.choiceCount : undefined;
    return present({ type: PLAIN[policy], choiceCount });
  }
  // Consul: nothing to hash means a random instance.
  if (hashPolicies.length === 0) return { type: "Random" };
  if (ringHashConfig?.maximumRingSize !== undefined) {
    report.note(
      "spec.loadBalancer.ringHashConfig.maximumRingSize",
      "has no effect: the mesh limits the ring itself",
    );
  }
  const isRing = policy === "ring_hash";
  return present({
    type: isRing ? "RingHash" : "Maglev",
    hashKey: hashPolicies.map((hash, index) =>
      hashKeyOf(hash, `spec.loadBalancer.hashPolicies[${index}]`, report),
    ),
    minimumRingSize: isRing ? ringHashConfig?.minimumRingSize : undefined,
  });
}

const FIELDS = { header: "Header", cookie: "Cookie", query_parameter: "QueryParam" } as const;

function hashKeyOf(hash: Balancer["hashPolicies"][number], path: string, report: Report): object {
  const { field, fieldValue, cookieConfig } = hash;
  if (hash.terminal !== true && hash.terminal !== undefined) {
    report.note(`${path}.terminal`, "has no effect: the first key that a request has decides");
  }
  if (field === undefined) return { type: "SourceIP" };
  const ttl = cookieConfig?.session === true ? "0s" : cookieConfig?.ttl;
  return present({
    type: FIELDS[field],
    name: fieldValue,
    path: cookieConfig?.path,
    ttl: ttl === undefined ? undefined : toDuration(ttl),
  });
}

/** The shorter of the two that limit a request; Consul counts `localRequestTimeoutMs` at the callee. */
function timeoutsOf(
  resolver: ServiceResolverSpec | undefined,
  defaults: ServiceDefaultsSpec | undefined,
  upstream: Upstream,
): object {
  const connect = resolver?.connectTimeout === undefined ? undefined : toDuration(resolver.connectTimeout);
  const request = resolver?.requestTimeout === undefined ? undefined : toDuration(resolver.requestTimeout);
  const local = defaults?.localRequestTimeoutMs;
  const timeouts = present({
    connect: upstream.connectTimeout ?? connect,
    request: request ?? (local === undefined ? undefined : formatDuration(local)),
  });
  return Object.keys(timeouts).length === 0 ? {} : { timeouts };
}

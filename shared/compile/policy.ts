/**
 * Policies that protect callees: whom each one is about, and what all that
 * are about one workload amount to.
 *
 * @module
 */
import type { KeyPart, RateLimit } from "../engine/limit.ts";
import { compileIntentions, type Ranked } from "../front-doors/consul/intentions.ts";
import { parseDuration } from "../wire/duration.ts";
import type { Resource } from "../wire/resource.ts";
import type { ServiceIntentionsSpec } from "../wire/resources/consul.ts";
import type { RateLimitPolicySpec } from "../wire/resources/rate-limit-policy.ts";
import { hasLabels, type Labels } from "./labels.ts";

/** The namespace whose policies without targets hold for the whole mesh (Istio's root namespace). */
export const SYSTEM_NAMESPACE = "selvedge-system";

/** Whom a policy is about, within its namespace, or within every one if it stands in the system namespace. */
export type Scope =
  /** Workloads with all of the labels; without labels, everything. */
  | { readonly kind: "labels"; readonly labels: Labels }
  /** Resources of its own namespace, by name. */
  | {
      readonly kind: "targets";
      readonly services: ReadonlySet<string>;
      readonly gateways: ReadonlySet<string>;
      readonly endpoints: ReadonlySet<string>;
    };

/** Every policy that is kept compiled in the world. */
export interface Policy {
  readonly namespace: string;
  readonly name: string;
  readonly scope: Scope;
}

/** Consul's intentions for one destination. */
export interface IntentionPolicy extends Policy {
  readonly ranked: readonly Ranked[];
}

/** A RateLimitPolicy, its limits compiled. */
export interface LimitPolicy extends Policy {
  readonly limits: readonly RateLimit[];
}

/** A workload as policies see it. */
export interface Subject {
  readonly namespace: string;
  readonly labels: Labels;
  /** The services that it answers for. */
  readonly services: readonly string[];
  /** The name of its Endpoint, if it is declared. */
  readonly endpoint?: string;
}

/** Whether a policy is about a workload. */
export function concerns({ namespace, scope }: Policy, subject: Subject): boolean {
  if (scope.kind === "targets") {
    return (
      namespace === subject.namespace &&
      (subject.services.some((service) => scope.services.has(service)) ||
        (subject.endpoint !== undefined && scope.endpoints.has(subject.endpoint)))
    );
  }
  const isInReach = namespace === subject.namespace || namespace === SYSTEM_NAMESPACE;
  return isInReach && hasLabels(subject.labels, scope.labels);
}

/** What a policy's selector or targets say. */
export function scopeOf({
  selector,
  targetRefs,
  targetRef,
}: {
  readonly selector?: { readonly matchLabels: Labels } | undefined;
  readonly targetRefs?: Targets | undefined;
  readonly targetRef?: Targets[number] | undefined;
}): Scope {
  const targets = targetRef === undefined ? targetRefs : [targetRef];
  return targets === undefined ? scopeOfLabels(selector?.matchLabels) : scopeOfTargets(targets);
}

type Targets = readonly { readonly kind: string; readonly name: string }[];

/** A scope of workloads by their labels. */
export function scopeOfLabels(labels: Labels | undefined): Scope {
  return { kind: "labels", labels: labels ?? {} };
}

/** A scope of targets by their kinds. */
export function scopeOfTargets(targets: Targets): Scope {
  const named = (wanted: string) =>
    new Set(targets.filter(({ kind }) => kind === wanted).map(({ name }) => name));
  return {
    kind: "targets",
    services: named("Service"),
    gateways: named("Gateway"),
    endpoints: named("Endpoint"),
  };
}

/** Compiles a RateLimitPolicy. */
export function compileLimits({ metadata, spec }: Resource<RateLimitPolicySpec>): LimitPolicy {
  const { namespace, name } = metadata;
  const limits = spec.limits.map((limit, index): RateLimit => ({
    // With the index: two limits of one policy with equal keys must not share buckets.
    policy: `${namespace}/${name}[${index}]`,
    mode: LIMIT_MODES[limit.mode],
    rate: {
      requests: limit.requests,
      perMs: parseDuration(limit.per) ?? 1000,
      burst: limit.burst ?? limit.requests,
    },
    key: limit.key.map(compileKeyPart),
    whenUnavailable: limit.whenUnavailable === "Deny" ? "deny" : "allow",
    ...(limit.binding === undefined ? {} : { binding: limit.binding }),
    ...(limit.shadow ? { isShadow: true } : {}),
    ...(spec.headers ? { isTold: true } : {}),
  }));
  return { namespace, name, scope: scopeOfTargets(spec.targetRefs), limits };
}

const LIMIT_MODES = { Local: "local", Leased: "leased", Strict: "strict" } as const;

function compileKeyPart({ type, name = "" }: RateLimitPolicySpec["limits"][number]["key"][number]): KeyPart {
  switch (type) {
    case "Caller":
      return { kind: "caller" };
    case "Method":
      return { kind: "method" };
    case "Path":
      return { kind: "path" };
    case "RemoteAddress":
      return { kind: "remote-address" };
    case "Header":
      return { kind: "header", name: name.toLowerCase() };
    case "Query":
      return { kind: "query", name };
    case "Claim":
      return { kind: "claim", name };
  }
}

/** Compiles ServiceIntentions. A destination `*` is every service of the namespace; in the system's, of the mesh. */
export function compileIntentionPolicy(
  document: Resource<ServiceIntentionsSpec>,
  trustDomain: string,
): IntentionPolicy {
  const { namespace, name } = document.metadata;
  const destination = document.spec.destination.name;
  return {
    namespace,
    name,
    scope:
      destination === "*"
        ? { kind: "labels", labels: {} }
        : { kind: "targets", services: new Set([destination]), gateways: new Set(), endpoints: new Set() },
    ranked: compileIntentions(document, { trustDomain, isWide: namespace === SYSTEM_NAMESPACE }),
  };
}

/** Whether a policy is about everything in its reach. */
export function isForAll({ scope }: Policy): boolean {
  return scope.kind === "labels" && Object.keys(scope.labels).length === 0;
}

/** The first by age, then by name (Gateway API's rule for conflicts). */
export function oldest<Item extends { readonly creationTimestamp: string; readonly name: string }>(
  items: readonly Item[],
): Item | undefined {
  return items.reduce<Item | undefined>(
    (best, item) => (best === undefined || ageOf(item) < ageOf(best) ? item : best),
    undefined,
  );
}

function ageOf({
  creationTimestamp,
  name,
}: {
  readonly creationTimestamp: string;
  readonly name: string;
}): string {
  return `${creationTimestamp} ${name}`;
}

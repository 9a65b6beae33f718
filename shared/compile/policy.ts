/**
 * Policies that protect callees: whom each one is about, and what all that
 * are about one workload amount to.
 *
 * @module
 */
import type { Authorization, AuthorizationRule, OperationMatch, SourceMatch } from "../engine/authorize.ts";
import type { KeyPart, RateLimit } from "../engine/limit.ts";
import * as match from "../engine/match.ts";
import { compileIntentions, inOrder, type Ranked } from "../front-doors/consul/intentions.ts";
import { parseDuration } from "../wire/duration.ts";
import { canonicalPathMatch } from "../wire/path-match.ts";
import type { Resource } from "../wire/resource.ts";
import type {
  AuthorizationPolicySpec,
  OperationSpec,
  SourceSpec,
} from "../wire/resources/authorization-policy.ts";
import type { ServiceIntentionsSpec } from "../wire/resources/consul.ts";
import type { PeerAuthenticationSpec } from "../wire/resources/peer-authentication.ts";
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
    };

/** Every policy that is kept compiled in the world. */
export interface Policy {
  readonly namespace: string;
  readonly name: string;
  readonly scope: Scope;
}

/** An AuthorizationPolicy, its rules compiled. */
export interface AuthorizationPolicy extends Policy {
  readonly action: "ALLOW" | "DENY";
  readonly rules: readonly AuthorizationRule[];
}

/** Consul's intentions for one destination. */
export interface IntentionPolicy extends Policy {
  readonly ranked: readonly Ranked[];
}

/** A PeerAuthentication. */
export interface PeerPolicy extends Policy {
  readonly mode: "UNSET" | "PERMISSIVE" | "STRICT";
  /** Of two on the same level the older counts. */
  readonly creationTimestamp: string;
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
}

/** Whether a policy is about a workload. */
export function concerns({ namespace, scope }: Policy, subject: Subject): boolean {
  if (scope.kind === "targets") {
    return namespace === subject.namespace && subject.services.some((service) => scope.services.has(service));
  }
  const isInReach = namespace === subject.namespace || namespace === SYSTEM_NAMESPACE;
  return isInReach && hasLabels(subject.labels, scope.labels);
}

/** `principals` that name Istio's placeholder trust domain mean the mesh's own. */
export function compileAuthorization(
  { metadata: { namespace, name }, spec }: Resource<AuthorizationPolicySpec>,
  trustDomain: string,
): AuthorizationPolicy {
  const rules = spec.rules.map((rule, index) => ({
    policy: `${namespace}/${name}`,
    rule: index,
    from: (rule.from ?? []).map(({ source }) => compileSource(source, trustDomain)),
    to: (rule.to ?? []).map(({ operation }) => compileOperation(operation)),
  }));
  const scope =
    spec.targetRefs === undefined
      ? scopeOfLabels(spec.selector?.matchLabels)
      : scopeOfTargets(spec.targetRefs);
  return { namespace, name, scope, action: spec.action, rules };
}

function scopeOfLabels(labels: Labels | undefined): Scope {
  return { kind: "labels", labels: labels ?? {} };
}

/** A scope of targets by their kinds. */
export function scopeOfTargets(targets: readonly { readonly kind: string; readonly name: string }[]): Scope {
  const named = (wanted: string) =>
    new Set(targets.filter(({ kind }) => kind === wanted).map(({ name }) => name));
  return { kind: "targets", services: named("Service"), gateways: named("Gateway") };
}

function compileSource(source: SourceSpec, trustDomain: string): SourceMatch {
  const ownDomain = (text: string) => text.replace(/^cluster\.local\//, `${trustDomain}/`);
  return present({
    principals: source.principals?.map(ownDomain).map(match.parseStringMatch),
    notPrincipals: source.notPrincipals?.map(ownDomain).map(match.parseStringMatch),
    namespaces: source.namespaces?.map(match.parseStringMatch),
    notNamespaces: source.notNamespaces?.map(match.parseStringMatch),
  });
}

function compileOperation(operation: OperationSpec): OperationMatch {
  return present({
    hosts: operation.hosts?.map(parseHostMatch),
    notHosts: operation.notHosts?.map(parseHostMatch),
    ports: operation.ports?.map(Number),
    notPorts: operation.notPorts?.map(Number),
    methods: operation.methods?.map(match.parseStringMatch),
    notMethods: operation.notMethods?.map(match.parseStringMatch),
    paths: operation.paths?.map(parsePathMatch),
    notPaths: operation.notPaths?.map(parsePathMatch),
  });
}

function parseHostMatch(text: string): match.StringMatch {
  return match.parseStringMatch(text.toLowerCase());
}

/** What could never match has been refused; read as it stands it still matches nothing. */
function parsePathMatch(text: string): match.StringMatch {
  return canonicalPathMatch(text) ?? match.parseStringMatch(text);
}

/** The fields that have a value: compiled data is JSON, which knows no undefined. */
function present<Fields extends object>(
  fields: Fields,
): { [Key in keyof Fields]?: Exclude<Fields[Key], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Key in keyof Fields]?: Exclude<Fields[Key], undefined> };
}

/** Compiles a PeerAuthentication. */
export function compilePeer({ metadata, spec }: Resource<PeerAuthenticationSpec>): PeerPolicy {
  const { namespace, name, creationTimestamp } = metadata;
  const scope = scopeOfLabels(spec.selector?.matchLabels);
  return { namespace, name, scope, mode: spec.mtls.mode, creationTimestamp };
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
        : { kind: "targets", services: new Set([destination]), gateways: new Set() },
    ranked: compileIntentions(document, { trustDomain, isWide: namespace === SYSTEM_NAMESPACE }),
  };
}

/**
 * Pools policies as Istio does: no priority among them, DENY rules and ALLOW
 * rules each in one list. Intentions have their own order.
 */
export function pool(
  policies: readonly AuthorizationPolicy[],
  intending: readonly IntentionPolicy[] = [],
): Authorization {
  const intentions = inOrder(intending.flatMap(({ ranked }) => ranked));
  const allowing = policies.filter(({ action }) => action === "ALLOW");
  const denying = policies.filter(({ action }) => action === "DENY");
  return {
    deny: denying.flatMap(({ rules }) => rules),
    allow: allowing.length === 0 ? null : allowing.flatMap(({ rules }) => rules),
    ...(intentions.length === 0 ? {} : { intentions }),
  };
}

/**
 * Whether callers must prove who they are. The narrowest level that says so
 * decides: workload, namespace, mesh. Strict when none does: unlike Istio's
 * permissive default, a new mesh has nothing to migrate from. A selector in
 * the system namespace selects nothing elsewhere (Istio).
 */
export function decidePeer(policies: readonly PeerPolicy[], subject: Subject): "strict" | "permissive" {
  const own = policies.filter(
    (policy) => policy.namespace === subject.namespace && concerns(policy, subject),
  );
  const mesh = policies.filter((policy) => policy.namespace === SYSTEM_NAMESPACE && isForAll(policy));
  const levels = [own.filter((policy) => !isForAll(policy)), own.filter(isForAll), mesh];
  for (const level of levels) {
    const mode = oldest(level)?.mode ?? "UNSET";
    if (mode !== "UNSET") return mode === "STRICT" ? "strict" : "permissive";
  }
  return "strict";
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

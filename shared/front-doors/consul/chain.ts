/**
 * Consul's chain of a service: router, then splitter, then resolver. Unlike
 * other documents these are parts of one thing, so that they are translated
 * together: into one HTTPRoute and one TrafficPolicy for the service.
 *
 * @module
 */
import type {
  ServiceDefaultsSpec,
  ServiceResolverSpec,
  ServiceRouterSpec,
  ServiceSplitterSpec,
} from "../../wire/resources/consul.ts";
import type { Foreign } from "../translation.ts";

/** A service of a namespace. */
export interface Name {
  readonly namespace: string;
  readonly name: string;
}

/** Config entries by the service that they are about. */
export interface Entries {
  router(service: Name): Foreign<ServiceRouterSpec> | undefined;
  splitter(service: Name): Foreign<ServiceSplitterSpec> | undefined;
  resolver(service: Name): Foreign<ServiceResolverSpec> | undefined;
  defaults(service: Name): Foreign<ServiceDefaultsSpec> | undefined;
  /** The defaults of those that say something of a service that they call. */
  callers(service: Name): readonly Foreign<ServiceDefaultsSpec>[];
}

/** Where a share of calls ends: a service, or a subset of it. */
export interface Target {
  readonly service: Name;
  readonly subset: string | null;
  /** 0..1. */
  readonly share: number;
  /** The splits on the way, outermost first: their header changes all apply. */
  readonly splits: readonly ServiceSplitterSpec["splits"][number][];
}

/** Splits of splits, and redirects of redirects, end here: longer chains are mistakes or loops. */
const MAX_DEPTH = 8;

/** Services that are looked at for one chain: each splitter may name 16, and those 16 more, each of them. */
const MAX_VISITS = 256;

/** Where the calls to a service end, by splitter and resolver; empty when they run in a circle, or do not come to an end. */
export function targetsOf(entries: Entries, service: Name): Target[] {
  const budget = { visits: MAX_VISITS };
  const targets = split(entries, service, budget, 0);
  return budget.visits < 0 ? [] : targets;
}

function split(entries: Entries, service: Name, budget: { visits: number }, depth: number): Target[] {
  budget.visits -= 1;
  if (depth > MAX_DEPTH || budget.visits < 0) return [];
  const splitter = entries.splitter(service);
  if (splitter === undefined) return resolve(entries, { service, subset: null });
  return splitter.spec.splits.flatMap((part) => {
    const next = { namespace: part.namespace ?? service.namespace, name: part.service ?? service.name };
    // A split to the service itself, or to a subset, is not split again (Consul).
    const isFinal = part.serviceSubset !== undefined || isSame(next, service);
    const targets = isFinal
      ? resolve(entries, { service: next, subset: part.serviceSubset ?? null })
      : split(entries, next, budget, depth + 1);
    return targets.map((target) => ({
      ...target,
      share: (target.share * part.weight) / 100,
      splits: [part, ...target.splits],
    }));
  });
}

/** Follows redirects and default subsets. */
export function resolve(
  entries: Entries,
  { service, subset }: Pick<Target, "service" | "subset">,
  depth = 0,
): Target[] {
  if (depth > MAX_DEPTH) return [];
  const resolver = entries.resolver(service)?.spec;
  if (resolver?.redirect !== undefined) {
    const { redirect } = resolver;
    const next = {
      namespace: redirect.namespace ?? service.namespace,
      name: redirect.service ?? service.name,
    };
    const target = { service: next, subset: redirect.serviceSubset ?? null };
    // A redirect to a subset of the service itself is where it ends.
    return isSame(next, service)
      ? [{ ...target, share: 1, splits: [] }]
      : resolve(entries, target, depth + 1);
  }
  return [{ service, subset: subset ?? resolver?.defaultSubset ?? null, share: 1, splits: [] }];
}

function isSame(a: Name, b: Name): boolean {
  return a.namespace === b.namespace && a.name === b.name;
}

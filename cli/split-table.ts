/**
 * A split as people look at it: weights, the shares that they mean, and the
 * shares that were observed.
 *
 * @module
 */
import { backendName, ruleName, type BackendRef, type RouteSpec } from "./split.ts";

/** Calls to one version of a service. */
export interface Rate {
  /** `namespace/name`. */
  readonly service: string;
  readonly version: string;
  readonly perSecond: number;
}

export interface SplitRow {
  readonly rule: string;
  readonly backend: string;
  readonly weight: number;
  /** Of the rule's requests, 0..1; 0 for all when no backend has a weight. */
  readonly share: number;
  /** Of the calls to the rule's backends, 0..1; `null` when there were none. */
  readonly observed: number | null;
}

/** A row for each backend of each rule; `namespace` is the route's. */
export function splitRows(spec: RouteSpec, namespace: string, rates: readonly Rate[]): readonly SplitRow[] {
  return spec.rules.flatMap(({ backendRefs }, index) => {
    const total = sum(backendRefs.map(({ weight }) => weight));
    const calls = backendRefs.map((ref) => callsOf(ref, namespace, rates));
    const allCalls = sum(calls);
    return backendRefs.map((ref, at) => ({
      rule: ruleName(spec, index),
      backend: backendName(ref),
      weight: ref.weight,
      share: total === 0 ? 0 : ref.weight / total,
      observed: allCalls === 0 ? null : (calls[at] ?? 0) / allCalls,
    }));
  });
}

/** A subset is told from the rest of its service by its version, after which it is named. */
function callsOf({ name, namespace, subset }: BackendRef, own: string, rates: readonly Rate[]): number {
  const service = `${namespace ?? own}/${name}`;
  const those = rates.filter(
    (rate) => rate.service === service && (subset === undefined || rate.version === subset),
  );
  return sum(those.map(({ perSecond }) => perSecond));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/**
 * FaultPolicies, as the engine injects their faults.
 *
 * @module
 */
import type { Fault } from "../engine/fault.ts";
import type { Millis } from "../engine/time.ts";
import { parseDuration } from "../wire/duration.ts";
import type { Resource } from "../wire/resource.ts";
import type { FaultPolicySpec } from "../wire/resources/fault-policy.ts";
import { compileAbort, compileCallers, compileValue } from "./extensions.ts";
import { inOrder } from "./multimap.ts";
import { scopeOfTargets, type Policy } from "./policy.ts";
import { spaceOf, splitName, type World } from "./state.ts";

/** A FaultPolicy, its faults compiled. */
export interface FaultPolicy extends Policy {
  /** The HTTPRoutes among its targets, by name. */
  readonly routes: ReadonlySet<string>;
  readonly faults: readonly Fault[];
}

/** Compiles a FaultPolicy. */
export function compileFaultPolicy(
  { metadata, spec }: Resource<FaultPolicySpec>,
  trustDomain: string,
): FaultPolicy {
  const { namespace, name, creationTimestamp } = metadata;
  const expiresAt = expiryOf(spec, creationTimestamp);
  const routes = spec.targetRefs.filter(({ kind }) => kind === "HTTPRoute").map((target) => target.name);
  return {
    namespace,
    name,
    scope: scopeOfTargets(spec.targetRefs),
    routes: new Set(routes),
    faults: spec.faults.map(({ match, delay, abort }) => ({
      policy: `${namespace}/${name}`,
      match: {
        headers: match.headers.map((header) => compileValue({ ...header, name: header.name.toLowerCase() })),
        callers: compileCallers(match.from ?? [], trustDomain),
      },
      ...(delay === undefined ? {} : { delay: compileDelay(delay) }),
      ...(abort === undefined ? {} : { abort: compileAbort(abort) }),
      expiresAt,
    })),
  };
}

/** Stored specs have been parsed: one without an end, or with an end that is no time, was never accepted and is over. */
function expiryOf({ expiresAfter, expiresAt }: FaultPolicySpec, creationTimestamp: string): Millis {
  const end =
    expiresAt === undefined
      ? Date.parse(creationTimestamp) + (parseDuration(expiresAfter ?? "") ?? 0)
      : Date.parse(expiresAt);
  return Number.isNaN(end) ? 0 : end;
}

function compileDelay({
  fixed,
  jitter,
  percentage,
}: NonNullable<FaultPolicySpec["faults"][number]["delay"]>): NonNullable<Fault["delay"]> {
  return {
    fixedMs: parseDuration(fixed) ?? 0,
    jitterMs: parseDuration(jitter) ?? 0,
    share: percentage / 100,
  };
}

/** The faults of policies that target a route (`namespace/name`). */
export function faultsAt(world: World, route: string): Fault[] {
  const [namespace, name] = splitName(route);
  const policies = inOrder(spaceOf(world, namespace).faults);
  return policies.filter(({ routes }) => routes.has(name)).flatMap(({ faults }) => faults);
}

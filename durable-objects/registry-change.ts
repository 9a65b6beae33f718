/**
 * What an apply, a delete or a rollback does to each resource. Decides only:
 * reads the present through a function and writes nothing.
 *
 * @module
 */
import type { ParsedResource } from "../shared/wire/parse.ts";
import { isSameJson } from "./json.ts";
import { resourceKey, type Resource, type ResourceRef } from "../shared/wire/resource.ts";
import type { ChangeKind } from "../shared/wire/registry-rpc.ts";

/** One resource's part in a revision. */
export interface Step {
  readonly key: string;
  readonly ref: ResourceRef;
  readonly change: ChangeKind;
  /** `null` where it did not exist. */
  readonly before: Resource | null;
  /** `null` where it is deleted. */
  readonly after: Resource | null;
}

/** Looks a stored resource up by its `resourceKey`. */
export type Find = (key: string) => Resource | null;

/** What a resource made anew is stamped with. */
export interface Stamp {
  /** RFC 3339. */
  readonly now: string;
  readonly newUid: () => string;
}

/**
 * Creates or configures a resource. Labels and annotations are configuration
 * but no new generation, as in Kubernetes; the order of keys is neither.
 */
export function planApply(parsed: ParsedResource, find: Find, stamp: Stamp): Step {
  const ref = refOf(parsed);
  const key = resourceKey(ref);
  const before = find(key);
  if (before === null) {
    const born = { uid: stamp.newUid(), generation: 1, creationTimestamp: stamp.now };
    return { key, ref, change: "created", before, after: dress(parsed, born) };
  }
  const { uid, creationTimestamp } = before.metadata;
  const generation = before.metadata.generation + (isSameJson(before.spec, parsed.spec) ? 0 : 1);
  return step(key, before, dress(parsed, { uid, generation, creationTimestamp }));
}

/** Deletes a resource; `null` when there is none. */
export function planRemove(ref: ResourceRef, find: Find): Step | null {
  const key = resourceKey(ref);
  const before = find(key);
  return before === null ? null : step(key, before, null);
}

/**
 * Restores a resource to what it was, uid and creation time included: both
 * decide precedence among routes, so only then does traffic flow as it did.
 * Its generation still moves on, since the spec that is replaced had a number.
 */
export function planRestore(key: string, past: Resource | null, find: Find): Step | null {
  const before = find(key);
  if (past === null || before === null) {
    return past === before ? null : step(key, before, past);
  }
  const isSameSpec = isSameJson(before.spec, past.spec);
  const generation = Math.max(past.metadata.generation, before.metadata.generation + (isSameSpec ? 0 : 1));
  return step(key, before, { ...past, metadata: { ...past.metadata, generation } });
}

/** The steps that lead back. */
export function invert(steps: readonly Step[]): Step[] {
  return steps.map((step) => ({ ...step, before: step.after, after: step.before })).toReversed();
}

/** Whether two states of a resource say the same; what the registry itself keeps (generation, uid) aside. */
export function isSameContent(a: Resource | null, b: Resource | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.apiVersion === b.apiVersion &&
    isSameJson(a.metadata.labels, b.metadata.labels) &&
    isSameJson(a.metadata.annotations, b.metadata.annotations) &&
    isSameJson(a.spec, b.spec)
  );
}

/** The reference to a resource. */
export function refOf(resource: ParsedResource | Resource): ResourceRef {
  const { apiVersion, kind, metadata } = resource;
  return { apiVersion, kind, namespace: metadata.namespace, name: metadata.name };
}

function dress(
  parsed: ParsedResource,
  born: Pick<Resource["metadata"], "uid" | "generation" | "creationTimestamp">,
): Resource {
  const { apiVersion, kind, metadata, spec } = parsed;
  return { apiVersion, kind, metadata: { ...metadata, ...born }, spec };
}

function step(key: string, before: Resource | null, after: Resource | null): Step {
  if (after === null) {
    if (before === null) throw new Error(`${key}: a step from nothing to nothing`);
    return { key, ref: refOf(before), change: "deleted", before, after };
  }
  const ref = refOf(after);
  if (before === null) return { key, ref, change: "created", before, after };
  return isSameJson(before, after)
    ? { key, ref, change: "unchanged", before, after: before }
    : { key, ref, change: "configured", before, after };
}

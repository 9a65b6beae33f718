/**
 * How much configuration the registry holds. All of it is in the object's
 * memory, 128 MB, and an object that cannot load what it has stored is lost.
 *
 * @module
 */
import type { FieldProblem } from "../shared/wire/problem.ts";
import type { Step } from "./registry-change.ts";

/** Of JSON, in bytes, all resources together: parsed it takes two to three times as much. */
const MAX_STORED_BYTES = 40_000_000;

/** Of one namespace, for those who own namespaces: 5,000 resources of 1.6 kB. */
const MAX_OWNED_BYTES = 8_000_000;

/** How many bytes of resources are stored: of a namespace, or of all for `null`. */
export type Weigh = (namespace: string | null) => number;

/** Why a change would make the configuration too heavy. One that makes it lighter never does. */
export function overweight(
  steps: readonly Step[],
  weigh: Weigh,
  namespaces: readonly string[] | undefined,
): FieldProblem[] {
  const growth = growthOf(steps);
  const owned = [...Map.groupBy(steps, ({ ref }) => ref.namespace)].filter(
    ([namespace, own]) =>
      namespaces !== undefined && exceeds(growthOf(own), () => weigh(namespace), MAX_OWNED_BYTES),
  );
  const heavy = owned.map(([namespace]) => tooHeavy(`Namespace ${namespace}`, MAX_OWNED_BYTES));
  return exceeds(growth, () => weigh(null), MAX_STORED_BYTES)
    ? [...heavy, tooHeavy("documents", MAX_STORED_BYTES)]
    : heavy;
}

function exceeds(growth: number, weigh: () => number, limit: number): boolean {
  return growth > 0 && weigh() + growth > limit;
}

function growthOf(steps: readonly Step[]): number {
  return steps.reduce((sum, { before, after }) => sum + sizeOf(after) - sizeOf(before), 0);
}

const encoder = new TextEncoder();

function sizeOf(resource: Step["after"]): number {
  return resource === null ? 0 : encoder.encode(JSON.stringify(resource)).length;
}

function tooHeavy(path: string, limit: number): FieldProblem {
  return {
    path,
    message: `would have more than ${limit} bytes of resources: delete some, or shorten annotations`,
  };
}

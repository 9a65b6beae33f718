/**
 * How much configuration the registry holds, and what it compiles to. All of it
 * is in the object's memory, 128 MB, and an object that cannot load what it has
 * stored, or compile it for a new release, is lost.
 *
 * @module
 */
import type { FieldProblem } from "../shared/wire/problem.ts";
import type { Step } from "./registry-change.ts";
import type { Compiled } from "./registry-world.ts";
import { isUnitOf, type UnitStore } from "./unit-store.ts";

/** Of JSON, in bytes, all resources together: parsed it takes two to three times as much. */
const MAX_STORED_BYTES = 40_000_000;

/** Of one namespace, for those who own namespaces: 5,000 resources of 1.6 kB. */
const MAX_OWNED_BYTES = 8_000_000;

/**
 * Of the units of one namespace, for the same: a quarter of what one change may
 * compile to. Policies times endpoints that come in small parts would else grow
 * until no change of the whole mesh, and no release, could compile them.
 */
const MAX_OWNED_UNIT_BYTES = 10_000_000;

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

/** Which of `namespaces` would compile to too much. A change after which one compiles to less never does. */
export function overgrown(
  compiled: Compiled,
  units: Pick<UnitStore, "size" | "weigh">,
  namespaces: readonly string[],
): FieldProblem[] {
  const grown = namespaces.filter((namespace) => {
    const own = [...compiled].filter(([key]) => isUnitOf(key, namespace));
    const growth = own.reduce((sum, [key, body]) => sum + bytesOf(body ?? "") - units.size(key), 0);
    return exceeds(growth, () => units.weigh(namespace), MAX_OWNED_UNIT_BYTES);
  });
  return grown.map((namespace) => ({
    path: `Namespace ${namespace}`,
    message: `would compile to more than ${MAX_OWNED_UNIT_BYTES} bytes: use fewer policies for many endpoints`,
  }));
}

function exceeds(growth: number, weigh: () => number, limit: number): boolean {
  return growth > 0 && weigh() + growth > limit;
}

function growthOf(steps: readonly Step[]): number {
  return steps.reduce((sum, { before, after }) => sum + sizeOf(after) - sizeOf(before), 0);
}

const encoder = new TextEncoder();

function sizeOf(resource: Step["after"]): number {
  return resource === null ? 0 : bytesOf(JSON.stringify(resource));
}

function bytesOf(text: string): number {
  return encoder.encode(text).length;
}

function tooHeavy(path: string, limit: number): FieldProblem {
  return {
    path,
    message: `would have more than ${limit} bytes of resources: delete some, or shorten annotations`,
  };
}

/**
 * What is asked of the registry, as steps: documents to apply, resources to
 * delete. Decides only, and changes nothing.
 *
 * @module
 */
import type { World } from "../shared/compile/world.ts";
import { parseDocuments } from "../shared/wire/parse.ts";
import { fail, succeed, type Outcome } from "../shared/wire/problem.ts";
import { resourceKey, type ResourceRef } from "../shared/wire/resource.ts";
import type { ApplyRequest } from "../shared/wire/registry-rpc.ts";
import { planApply, planRemove, refOf, type Find, type Step } from "./registry-change.ts";
import { judge } from "./registry-foreign.ts";
import { forbidden, invalid, notFound } from "./registry-refusals.ts";
import type { RegistryStore } from "./registry-store.ts";
import { trespasses, type Ownership } from "./registry-tenancy.ts";

/** What there is before a change. */
export interface Ground {
  readonly store: RegistryStore;
  readonly world: World;
  readonly ownership: Ownership;
  readonly allowsPrivateEndpoints: boolean;
}

export interface Plan {
  readonly steps: readonly Step[];
  /** What translating the documents brought to light. */
  readonly notes: readonly string[];
}

type Documents = Pick<ApplyRequest, "documents" | "defaultNamespace" | "namespaces" | "ifRevision" | "prune">;

/** Creates and configures resources, and deletes those that `prune` means. */
export function planDocuments(request: Documents, ground: Ground): Outcome<Plan> {
  const { store, world, ownership, allowsPrivateEndpoints } = ground;
  const { documents, defaultNamespace, ifRevision } = request;
  const parsed = parseDocuments(documents, {
    ...(defaultNamespace === undefined ? {} : { defaultNamespace }),
    allowPrivateEndpoints: allowsPrivateEndpoints,
  });
  if (!parsed.ok) return invalid(parsed.problems);
  const foreign = trespasses(parsed.resources, request, ownership);
  if (foreign.length > 0) return forbidden(foreign);
  const { problems, notes } = judge(world, parsed.resources, allowsPrivateEndpoints);
  if (problems.length > 0) return invalid(problems);
  const revision = store.revision();
  if (ifRevision !== undefined && ifRevision !== revision) {
    const detail = `The mesh is at revision ${revision}, not ${ifRevision}. Look at what changed and apply again.`;
    return fail({ code: "config.revision", detail });
  }
  const stamp = { now: new Date().toISOString(), newUid: () => crypto.randomUUID() };
  const applied = parsed.resources.map((resource) => planApply(resource, findIn(store), stamp));
  const pruned = request.prune === true ? planPrune(applied, request, store) : [];
  return succeed({ steps: [...applied, ...pruned], notes });
}

/** Deletes resources, or none when one does not exist. */
export function planDeletion(refs: readonly ResourceRef[], store: RegistryStore): Outcome<readonly Step[]> {
  const distinct = new Map(refs.map((ref) => [resourceKey(ref), ref]));
  const steps: Step[] = [];
  const missing: ResourceRef[] = [];
  for (const ref of distinct.values()) {
    const step = planRemove(ref, findIn(store));
    if (step === null) missing.push(ref);
    else steps.push(step);
  }
  return missing.length > 0 ? notFound(missing) : succeed(steps);
}

/** Both kinds of steps as one change; what is to be deleted is, even where it is among what is applied. */
export function withDeletions(applied: readonly Step[], deleted: readonly Step[]): readonly Step[] {
  const keys = new Set(deleted.map(({ key }) => key));
  return [...applied.filter(({ key }) => !keys.has(key)), ...deleted];
}

/** Deletes what no step of an apply keeps, of what the apply may change. */
function planPrune(kept: readonly Step[], { namespaces }: Documents, store: RegistryStore): Step[] {
  const keys = new Set(kept.map(({ key }) => key));
  return [...store.resources({})].flatMap((resource) => {
    const ref = refOf(resource);
    const isWithin = namespaces === undefined || namespaces.includes(ref.namespace);
    const isKept = keys.has(resourceKey(ref)) || !isWithin;
    const step = isKept ? null : planRemove(ref, findIn(store));
    return step === null ? [] : [step];
  });
}

function findIn(store: RegistryStore): Find {
  return (key) => store.resource(key);
}

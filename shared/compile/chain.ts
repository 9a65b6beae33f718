/**
 * Consul's chains in the world: which of them an entry is part of, and what
 * became of it.
 *
 * @module
 */
import type { Entries, Name } from "../front-doors/consul/chain.ts";
import { chainsThrough, entriesIn, isEntryKind } from "../front-doors/consul/entries.ts";
import { resourceKey, type Resource, type ResourceRef } from "../wire/resource.ts";
import type { World } from "./state.ts";

/** The kinds of which a chain is made, in the order of a call. */
export const ENTRY_KINDS = [
  "ServiceDefaults",
  "ServiceRouter",
  "ServiceSplitter",
  "ServiceResolver",
] as const;

/** Under which what a chain became is kept. No document has such a key. */
export function chainKey({ namespace, name }: Name): string {
  return `consul.hashicorp.com/Chain/${namespace}/${name}`;
}

/** The world's entries. */
export function entriesOf({ entries, links }: World): Entries {
  return entriesIn(entries, links);
}

/** The chains that lead through a service, its own among them. */
export function chainsOf(world: World, service: Name): Name[] {
  return chainsThrough(entriesOf(world), world.links, service);
}

/** What became of a document of another mesh, alone or in chains; `null` when it is of one of the mesh's own kinds. */
export function derivedFrom(world: World, ref: ResourceRef): readonly Resource[] | null {
  if (!isEntryKind(ref.kind)) return world.derived.get(resourceKey(ref)) ?? null;
  return chainsOf(world, ref).flatMap((chain) => world.derived.get(chainKey(chain)) ?? []);
}

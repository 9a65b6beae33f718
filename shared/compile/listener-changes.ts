/**
 * Changes of Gateways and ListenerSets, and what they mean for routes: only
 * those are attached anew whose listeners came, went or changed.
 *
 * @module
 */
import type { Resource } from "../wire/resource.ts";
import type { ListenerSetSpec } from "../wire/resources/listener-set.ts";
import { attach } from "./attach.ts";
import { forgetListeners, listenersOf, parentOf } from "./listeners.ts";
import { addTo, removeFrom } from "./multimap.ts";
import type { Space, World } from "./state.ts";

/** The Gateways that the ListenerSets of a namespace name. */
export function setsIn(world: World, namespace: string): string[] {
  return [...(world.spaces.get(namespace)?.listenerSets.values() ?? [])].map(parentOf);
}

/** Makes a change of what the listeners of some Gateways depend on, and attaches routes anew. */
export function changeListeners(world: World, gateways: readonly string[], change: () => void): void {
  const distinct = [...new Set(gateways)];
  const before = distinct.map((gateway) => statesOf(world, gateway));
  change();
  distinct.forEach((gateway, index) => {
    forgetListeners(world, gateway);
    const after = statesOf(world, gateway);
    const owners = new Set<string>();
    for (const [one, other] of [
      [before[index], after],
      [after, before[index]],
    ] as const) {
      for (const [id, { owner, state }] of one ?? []) if (other?.get(id)?.state !== state) owners.add(owner);
    }
    for (const owner of owners)
      for (const route of world.routesByParent.get(owner) ?? []) attach(world, route);
  });
}

/** What decides which routes a listener takes. */
function statesOf(
  world: World,
  gateway: string,
): Map<string, { readonly owner: string; readonly state: string }> {
  return new Map(
    listenersOf(world, gateway).map(({ id, owner, listener, fault }) => [
      id,
      { owner, state: JSON.stringify([listener, fault?.reason]) },
    ]),
  );
}

/** Adds a ListenerSet. */
export function putListenerSet(world: World, space: Space, set: Resource<ListenerSetSpec>): void {
  const { namespace, name } = set.metadata;
  changeListeners(world, [parentOf(set)], () => {
    space.listenerSets.set(name, set);
    addTo(world.setsByGateway, parentOf(set), `${namespace}/${name}`);
  });
}

/** Removes a ListenerSet; one that is not there is ignored. */
export function removeListenerSet(world: World, space: Space, name: string): void {
  const set = space.listenerSets.get(name);
  if (set === undefined) return;
  changeListeners(world, [parentOf(set)], () => {
    space.listenerSets.delete(name);
    removeFrom(world.setsByGateway, parentOf(set), `${set.metadata.namespace}/${name}`);
  });
}

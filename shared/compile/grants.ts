/**
 * ReferenceGrants: what a namespace lets others refer to.
 *
 * @module
 */
import { spaceOf, type World } from "./state.ts";

/** Who refers. */
export interface Referrer {
  readonly kind: string;
  readonly namespace: string;
}

/** What is referred to. */
export interface Referent {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

const GATEWAY_GROUP = "gateway.networking.k8s.io";

/** Whether a resource of Gateway API may refer to another: one of its own namespace always, others by a grant there. */
export function mayRefer(world: World, from: Referrer, to: Referent): boolean {
  if (from.namespace === to.namespace) return true;
  return [...spaceOf(world, to.namespace).grants.values()].some(
    ({ spec }) =>
      spec.from.some(
        ({ group, kind, namespace }) =>
          group === GATEWAY_GROUP && kind === from.kind && namespace === from.namespace,
      ) &&
      spec.to.some(
        ({ group, kind, name }) =>
          group === to.group && kind === to.kind && (name === undefined || name === to.name),
      ),
  );
}

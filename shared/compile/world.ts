/**
 * The world: all resources and published state of the mesh, indexed so that
 * one change finds what depends on it without looking at the rest.
 *
 * @module
 */
import type { UnitKey, VerificationKey } from "../engine/snapshot.ts";
import type { RegisteredEndpoint } from "../wire/rpc.ts";
import type { Resource, ResourceRef } from "../wire/resource.ts";

export interface World {
  readonly trustDomain: string;
  keys: readonly VerificationKey[];
}

export function createWorld(settings: { readonly trustDomain: string }): World {
  return { trustDomain: settings.trustDomain, keys: [] };
}

/** Adds or replaces a resource. */
export function put(_world: World, _resource: Resource): void {}

/** Removes a resource; an unknown one is ignored. */
export function remove(_world: World, _ref: ResourceRef): void {}

/** Replaces the registered endpoints of a service (`namespace/name`). Answers the units that may have changed. */
export function setRegistered(
  _world: World,
  _service: string,
  _endpoints: readonly RegisteredEndpoint[],
): ReadonlySet<UnitKey> {
  return new Set();
}

/** Replaces the ids that the shared circuit took out of a service. Answers the units that may have changed. */
export function setEjected(_world: World, _service: string, _ids: readonly string[]): ReadonlySet<UnitKey> {
  return new Set();
}

/** Replaces the authority's public keys. Answers the units that may have changed. */
export function setKeys(world: World, keys: readonly VerificationKey[]): ReadonlySet<UnitKey> {
  world.keys = keys;
  return new Set();
}

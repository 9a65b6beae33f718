/**
 * Which units a change may touch.
 *
 * @module
 */
import type { UnitKey } from "../engine/snapshot.ts";
import type { Resource, ResourceRef } from "../wire/resource.ts";
import type { World } from "./world.ts";

/**
 * The units whose content may depend on a resource as the world has it now.
 * Taken before and after a change, the union covers everything that changed.
 */
export function affected(_world: World, _resource: Resource | ResourceRef): ReadonlySet<UnitKey> {
  return new Set();
}

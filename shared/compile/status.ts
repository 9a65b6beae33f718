/**
 * Services as people ask for them.
 *
 * @module
 */
import type { ServiceStatus } from "../wire/rpc.ts";
import type { World } from "./world.ts";

/** All services of a namespace, or of the mesh (`null`), by namespace and name. */
export function servicesOf(_world: World, _namespace: string | null): ServiceStatus[] {
  return [];
}

/**
 * Configuration that is valid but probably not what was meant.
 *
 * @module
 */
import type { ResourceRef } from "../wire/resource.ts";
import type { World } from "./world.ts";

/** One sentence for everything about these resources that dangles; each names the resource and the remedy. */
export function warnings(_world: World, _refs: readonly ResourceRef[]): string[] {
  return [];
}

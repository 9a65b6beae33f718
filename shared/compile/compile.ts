/**
 * From the world to units: what hosts receive.
 *
 * @module
 */
import type { Unit, UnitKey } from "../engine/snapshot.ts";
import type { World } from "./world.ts";

/** Compiles one unit; `null` when it does not exist. */
export function compileUnit(_world: World, _key: UnitKey): Unit | null {
  return null;
}

/** The service units that a unit's routes name: what a host that holds the unit needs too. */
export function references(_unit: Unit): UnitKey[] {
  return [];
}

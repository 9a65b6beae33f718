/**
 * Indexes from a key to the set of what it leads to.
 *
 * @module
 */

/** A key leads to a set that is never empty. */
export type MultiMap<Value> = Map<string, Set<Value>>;

/** Adds a value under a key; one that is there already stays. */
export function addTo<Value>(map: MultiMap<Value>, key: string, value: Value): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, new Set([value]));
  else values.add(value);
}

/** Empty sets go, so that a key that exists always leads somewhere. */
export function removeFrom<Value>(map: MultiMap<Value>, key: string, value: Value): void {
  const values = map.get(key);
  if (values === undefined) return;
  values.delete(value);
  if (values.size === 0) map.delete(key);
}

/** Orders texts by code units: the same everywhere, whatever the locale. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The entries of a map in the order of their keys: compiled values must not depend on the order of changes. */
export function inOrder<Value>(map: ReadonlyMap<string, Value>): Value[] {
  return [...map].sort(([a], [b]) => compareText(a, b)).map(([, value]) => value);
}

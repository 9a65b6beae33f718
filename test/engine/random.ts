/**
 * Chance that repeats: a seeded generator for property tests.
 *
 * @module
 */

/** Draws numbers in [0, 1) from a 32-bit seed; the same seed, the same numbers (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Draws one of some choices. */
export function oneOf<T>(random: () => number, choices: readonly T[]): T {
  const choice = choices[Math.floor(random() * choices.length)];
  if (choice === undefined) throw new Error("there is nothing to choose from");
  return choice;
}

/** Draws `min` to `max` things, both included. */
export function severalOf<T>(random: () => number, min: number, max: number, draw: () => T): T[] {
  return Array.from({ length: min + Math.floor(random() * (max - min + 1)) }, draw);
}

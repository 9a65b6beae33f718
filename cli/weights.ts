/**
 * The arithmetic of a canary: one backend gets a share, the others what is
 * left, in proportion to what they had.
 *
 * @module
 */

/** Largest weight of a backend (Gateway API). */
const MAX_WEIGHT = 1_000_000;

/** Digits behind the point of a percentage: a ten-thousandth of a percent is one call in a million. */
const DIGITS = 4;

/** Reads `20`, `0.5` or `12.25%`; `null` when it is no percentage from 0 to 100. */
export function parsePercent(text: string): number | null {
  const [, digits] = /^(\d{1,3}(?:\.\d{1,4})?)%?$/.exec(text) ?? [];
  const percent = Number(digits);
  return digits !== undefined && percent <= 100 ? percent : null;
}

/**
 * The weights with which the one at `index` gets `percent` of all, and the
 * others the rest in the proportions of `proportions`. Whole numbers, exact
 * unless that takes weights above a million; they add up to 100 where they can.
 * `null` when nobody is there to take the rest.
 */
export function spread(proportions: readonly number[], index: number, percent: number): number[] | null {
  const scale = 10 ** DIGITS;
  const [own, whole] = [Math.round(percent * scale), 100 * scale];
  const others = proportions.reduce((sum, weight, at) => (at === index ? sum : sum + weight), 0);
  if (others === 0 && own < whole) return null;
  if (own === whole) return proportions.map((_, at) => (at === index ? 100 : 0));
  const parts = proportions.map((weight, at) => (at === index ? own * others : (whole - own) * weight));
  return reduce(parts);
}

/** Smaller whole numbers in the same proportions. */
function reduce(parts: readonly number[]): number[] {
  const divisor = parts.reduce(greatestCommonDivisor, 0);
  const least = parts.map((part) => part / divisor);
  const total = least.reduce((sum, part) => sum + part, 0);
  if (100 % total === 0) return least.map((part) => (part * 100) / total);
  if (Math.max(...least) <= MAX_WEIGHT) return least;
  // Somebody who had a share keeps one.
  return least.map((part) => (part === 0 ? 0 : Math.max(1, Math.round((part / total) * MAX_WEIGHT))));
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/**
 * Durations as Gateway API writes them (GEP-2257): `15s`, `500ms`, `1m30s`.
 *
 * @module
 */
import type { Millis } from "../engine/time.ts";

const UNITS: Readonly<Record<string, Millis>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** One to four parts of at most five digits, each with its unit. */
export const DURATION = /^([0-9]{1,5}(h|m|s|ms)){1,4}$/;

/** The milliseconds of a duration; `null` when the text is none. Parts of the same unit add up. */
export function parseDuration(text: string): Millis | null {
  if (!DURATION.test(text)) return null;
  let total = 0;
  for (const [, digits = "", unit = ""] of text.matchAll(/([0-9]+)(ms|[hms])/g)) {
    total += Number(digits) * (UNITS[unit] ?? 0);
  }
  return total;
}

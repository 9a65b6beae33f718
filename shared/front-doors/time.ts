/**
 * Durations from the notation of Go and Protocol Buffers into Gateway API's.
 *
 * @module
 */
const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** Reads `1.5s`, `100ms` or `1h30m`, rounded to whole milliseconds. Nothing else gets here. */
export function parseGoDuration(text: string): number {
  let total = 0;
  for (const [, amount = "", unit = ""] of text.matchAll(/([0-9.]+)(ms|[hms])/g)) {
    total += Number(amount) * (UNITS[unit] ?? 0);
  }
  return Math.round(total);
}

/** Writes milliseconds as GEP-2257 does: at most five digits to a unit. */
export function formatDuration(totalMs: number): string {
  let rest = totalMs;
  let text = "";
  for (const [unit, ms] of Object.entries(UNITS)) {
    const amount = Math.floor(rest / ms);
    rest -= amount * ms;
    if (amount > 0) text += `${amount}${unit}`;
  }
  return text === "" ? "0s" : text;
}

/** A duration as Gateway API writes it. */
export function toDuration(text: string): string {
  return formatDuration(parseGoDuration(text));
}

/**
 * Durations as people type them.
 *
 * @module
 */
import { EXIT, Failure } from "./failure.ts";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `500ms`, `30s`, `5m`, `1h`, `90d`, or a bare number of seconds. `option` names the culprit. */
export function parseDuration(text: string, option: string): number {
  const [, number, unit = "s"] = /^(\d{1,9})(ms|s|m|h|d)?$/.exec(text) ?? [];
  const ms = Number(number) * (UNIT_MS[unit] ?? Number.NaN);
  if (!(ms > 0)) {
    throw new Failure(EXIT.usage, [`${option}: "${text}" is no duration; write 500ms, 30s, 5m, 1h or 90d.`]);
  }
  return ms;
}

/** How long ago, in kubectl's short form: `45s`, `12m`, `3h`, `5d`. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

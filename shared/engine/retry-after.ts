/**
 * `Retry-After` (RFC 9110 §10.2.3): how long a response asks to wait.
 *
 * @module
 */
import type { HeaderReader } from "./request.ts";
import type { Millis } from "./time.ts";

/** Tells how long a response asks to wait, from now, never below 0; `null` when it does not ask or cannot be read. */
export function retryAfterMs(headers: HeaderReader, now: Millis): Millis | null {
  const field = headers.get("retry-after")?.trim() ?? "";
  if (/^[0-9]{1,9}$/.test(field)) return Number(field) * 1_000;
  const date = parseDate(field);
  return date === null ? null : Math.max(0, date - now);
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The instant of an IMF-fixdate, the only form that senders may make: `Sun, 06 Nov 1994 08:49:37 GMT`. */
function parseDate(text: string): Millis | null {
  const parts = /^[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/.exec(text);
  if (parts === null) return null;
  const [, day, month = "", year, hours, minutes, seconds] = parts;
  const monthAt = MONTHS.indexOf(month);
  if (monthAt === -1) return null;
  const days = daysUntil(Number(year), monthAt) + Number(day) - 1;
  return (((days * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000;
}

/** Days from the epoch to the first of a month, counted from 0, in the Gregorian calendar. */
function daysUntil(year: number, month: number): number {
  // Years begin with March here, so that the leap day is the last of its year and months follow one formula.
  const years = month < 2 ? year - 1 : year;
  const months = (month + 10) % 12;
  const leapDays = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400);
  // 719,468 days from 0000-03-01 to 1970-01-01.
  return years * 365 + leapDays + Math.floor((153 * months + 2) / 5) - 719_468;
}

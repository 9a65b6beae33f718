/**
 * Priorities of calls: which of them go first when not all can.
 *
 * @module
 */

/** `default` unless the route says otherwise. Under overload `low` is refused first, `high` last. */
export type Priority = "high" | "default" | "low";

/** The header in which a host of the mesh tells the next one a call's priority. Absent: `default`. */
export const PRIORITY_HEADER = "x-selvedge-priority";

/** Reads the header; `null` when it says nothing, or nothing that is known here. */
export function parsePriority(header: string | null): Priority | null {
  return header === "high" || header === "default" || header === "low" ? header : null;
}

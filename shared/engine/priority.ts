/**
 * Priorities of calls: which of them go first when not all can.
 *
 * @module
 */

/** `default` unless the route says otherwise. Under overload `low` is refused first, `high` last. */
export type Priority = "high" | "default" | "low";

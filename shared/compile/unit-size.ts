/**
 * How large a unit may be.
 *
 * @module
 */

/** Of JSON, in bytes: a row of the registry holds 2 MB, and a unit may use three quarters of it. */
export const MAX_UNIT_BYTES = 1_500_000;

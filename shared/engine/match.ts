/**
 * String matches shared by routes and policies.
 *
 * @module
 */

/**
 * How one string is compared. `present` holds for any non-empty value.
 * All comparisons are case-sensitive; callers lower both sides where the
 * field is not (host names).
 */
export type StringMatch =
  | { readonly kind: "exact"; readonly value: string }
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "suffix"; readonly value: string }
  | { readonly kind: "present" };

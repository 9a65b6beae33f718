/**
 * Load balancing: which endpoint gets a call.
 *
 * @module
 */

export type LoadBalancing =
  /** Each endpoint in turn, in proportion to weights. */
  | { readonly kind: "round-robin" }
  /** The least loaded, for its weight, of `choices` endpoints drawn at random (power of two choices). */
  | { readonly kind: "least-request"; readonly choices: number };

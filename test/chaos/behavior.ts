/**
 * How an upstream behaves, as data: what plans and the upstreams' process agree on.
 *
 * @module
 */

/** What goes wrong with one request. */
export type Fault =
  /** Answers so, at once. */
  | { readonly kind: "status"; readonly status: number }
  /** Resets the connection before any byte of an answer, or amid the body. */
  | { readonly kind: "reset"; readonly after: "request" | "headers" }
  /** Takes the request and never answers. */
  | { readonly kind: "black-hole" }
  /** Answers well, its body a byte at a time over `overMs`. */
  | { readonly kind: "slow-body"; readonly overMs: number }
  /** Answers well, by a stream of events that goes on until its client leaves: no fault but for whoever waits for its end. */
  | { readonly kind: "endless" }
  /** Promises more bytes than it sends, and closes. */
  | { readonly kind: "wrong-length" };

/** A fault that befalls a share of requests, 0..1. */
export interface Mishap {
  readonly share: number;
  readonly fault: Fault;
}

export interface Behavior {
  /** False: nothing listens, as after a crash. Open connections are reset. */
  readonly listens: boolean;
  /** Before every answer. */
  readonly delayMs: number;
  /** Drawn in order, each on its own; the first that befalls a request decides. */
  readonly mishaps: readonly Mishap[];
}

export const WELL: Behavior = { listens: true, delayMs: 0, mishaps: [] };
export const DEAD: Behavior = { ...WELL, listens: false };

/** Answers every request with a status. */
export function failing(status: number): Behavior {
  return { ...WELL, mishaps: [{ share: 1, fault: { kind: "status", status } }] };
}

/** Answers well, but late. */
export function slow(delayMs: number): Behavior {
  return { ...WELL, delayMs };
}

/** What the parent tells the upstreams' process. Each message is answered under its `id`. */
export type Order =
  | { readonly kind: "start"; readonly id: number; readonly names: readonly string[]; readonly seed: number }
  | { readonly kind: "behave"; readonly id: number; readonly name: string; readonly behavior: Behavior }
  | { readonly kind: "arrivals"; readonly id: number; readonly name: string };

/** What comes back: ports in the order of `names`, nothing, or arrival times. */
export interface Report {
  readonly id: number;
  readonly values: readonly number[];
}

/**
 * What a change of configuration would make of the policies that protect
 * callees.
 *
 * @module
 */
import type { InboundPolicy, UnitKey } from "../engine/snapshot.ts";

/** What decides about calls to one workload. */
export type Protection = Pick<InboundPolicy, "peer" | "peerPorts" | "tokens" | "users" | "authorization">;

/** What protects the endpoints of one unit. */
export interface Protected {
  /** Which of the policies protects an endpoint, by its id; empty for a workload, which has one. */
  readonly endpoints: Readonly<Record<string, number>>;
  /** Never empty. */
  readonly policies: readonly Protection[];
}

/** A unit whose policies would change. */
export interface TouchedUnit {
  readonly unit: UnitKey;
  /** `null`: there is no such unit. */
  readonly before: Protected | null;
  readonly after: Protected | null;
}

export interface PolicyPreview {
  /** The revision that the change would be made on. */
  readonly revision: number;
  /** Of the units that were asked about. */
  readonly touched: readonly TouchedUnit[];
  /** Further ones, which are too large to be told. */
  readonly omitted: readonly UnitKey[];
}

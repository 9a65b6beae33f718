/**
 * One condition of a status, as Kubernetes writes it.
 *
 * @module
 */
import type { Metadata } from "../wire/resource.ts";

export interface Condition {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
  /** `metadata.generation` of the resource that was looked at. */
  readonly observedGeneration: number;
}

export const GATEWAY_GROUP = "gateway.networking.k8s.io";

/** What keeps a condition from being true. */
export interface Obstacle {
  readonly reason: string;
  readonly message: string;
}

/** A condition that is true for a reason, or false for an obstacle. */
export function condition(
  { generation }: Pick<Metadata, "generation">,
  type: string,
  why: string | Obstacle,
): Condition {
  return typeof why === "string"
    ? { type, status: "True", reason: why, message: "", observedGeneration: generation }
    : { type, status: "False", ...why, observedGeneration: generation };
}

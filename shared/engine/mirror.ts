/**
 * Mirroring: copies of requests for a service whose answers nobody waits for.
 *
 * @module
 */
import type { Backend } from "./route.ts";
import type { Random } from "./time.ts";

export interface Mirror {
  /** `namespace/name` of the service that gets copies. */
  readonly service: string;
  readonly port: number | null;
  /** Only these of the service's endpoints. */
  readonly subset?: string;
  /** Share of requests that are copied, 0..1. Gateway API's default is all. */
  readonly share: number;
  /** Set when the service cannot be used: no copy is sent, and the request goes its way all the same. */
  readonly invalid?: NonNullable<Backend["invalid"]>;
}

/** Draws the mirrors that get a copy of one request, each for itself. */
export function choose(mirrors: readonly Mirror[], random: Random): readonly Mirror[] {
  return mirrors.filter(({ share, invalid }) => invalid === undefined && random() < share);
}

/**
 * Endpoints for tests.
 *
 * @module
 */
import type { Endpoint } from "../../shared/engine/endpoint.ts";

/** A healthy endpoint, changed where a test cares. */
export function endpoint(id: string, changes: Partial<Endpoint> = {}): Endpoint {
  return {
    id,
    address: { kind: "origin", url: `http://${id}.test` },
    version: "v1",
    weight: 1,
    health: "healthy",
    isEjected: false,
    isJoined: false,
    workload: "shop/default",
    inbound: 0,
    ...changes,
  };
}

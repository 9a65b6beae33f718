/**
 * The control plane as the edge reaches it: the objects themselves.
 *
 * @module
 */
import {
  authorityOf,
  circuitOf,
  healthOf,
  rateLimitOf,
  registryOf,
  telemetryOf,
} from "../../durable-objects/env.ts";
import type { Env } from "../../durable-objects/env.ts";
import type { Control } from "../../shared/forward/ports.ts";

/** A new stub for every call: a stub stays broken after an error. */
export function controlOf(env: Env): Control {
  return {
    sync: (request) => registryOf(env).sync(request),
    report: (report) => telemetryOf(env).report(report),
    reportCircuits: (service, reports) => circuitOf(env, service).report(service, reports),
    claimProbe: (service, endpoint, reporter, forMs) =>
      circuitOf(env, service).claimProbe(service, endpoint, reporter, forMs),
    reportOutcomes: (service, report) => healthOf(env, service).reportOutcomes(service, report),
    take: (request) => rateLimitOf(env, request.policy, request.key).take(request),
    lease: (request) => rateLimitOf(env, request.policy, request.key).lease(request),
    // The edge runs the inbound half before it sends: the token says so, and the callee need not decide again.
    token: (workload, audience) =>
      authorityOf(env).issue({ workload, audience, isAdmitted: true, requester: "edge" }),
  };
}

/**
 * The control plane as the edge reaches it: the objects themselves, and the
 * registry's store where the registry is out of reach.
 *
 * @module
 */
import {
  authorityOf,
  circuitOf,
  healthOf,
  rateLimitOf,
  recordsCalls,
  replayOf,
  telemetryOf,
} from "../../durable-objects/env.ts";
import type { Env } from "../../durable-objects/env.ts";
import type { Control } from "../../shared/forward/ports.ts";
import { sync } from "./snapshot-sync.ts";

/** A new stub for every call: a stub stays broken after an error. */
export function controlOf(env: Env): Control {
  return {
    sync: (request) => sync(env, request),
    report: (report) => telemetryOf(env).report(recordsCalls(env) ? report : { ...report, calls: [] }),
    reportCircuits: (service, reports) => circuitOf(env, service).report(service, reports),
    claimProbe: (service, endpoint, reporter, forMs) =>
      circuitOf(env, service).claimProbe(service, endpoint, reporter, forMs),
    reportOutcomes: (service, report) => healthOf(env, service).reportOutcomes(service, report),
    take: (request) => rateLimitOf(env, request.policy, request.key).take(request),
    lease: (request) => rateLimitOf(env, request.policy, request.key).lease(request),
    spend: (request) => replayOf(env, request.audience, request.id).spend(request),
    // The edge runs the inbound half before it sends: the token says so, and the callee need not decide again.
    token: (workload, audience) =>
      authorityOf(env).issue({ workload, audience, isAdmitted: true, requester: "edge" }),
  };
}

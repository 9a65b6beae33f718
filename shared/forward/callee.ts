/**
 * The callee's side of a call, where the host that sends it runs the inbound
 * half for the endpoint.
 *
 * @module
 */
import type { Endpoint } from "../engine/endpoint.ts";
import { serviceKey } from "../engine/snapshot.ts";
import { startTrail } from "./call.ts";
import type { Call } from "./call.ts";
import { applyEdits } from "./end-users.ts";
import { suffer } from "./faults.ts";
import { admit, admitAnew } from "./inbound.ts";
import type { AdmissionInput, Arrival } from "./inbound.ts";
import { hostOf, portOf } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";

/**
 * Decides by the policies that protect an endpoint. Answers with the call as
 * that endpoint is to see it; the one that was asked about stays as it came,
 * since policies of another endpoint may have to read what these take away.
 */
export async function admitTo(call: Call, plan: Plan, endpoint: Endpoint): Promise<Call | Refusal> {
  const policy = plan.service.unit.inbound[endpoint.inbound];
  // Checked when the unit came in; should it ever be wrong, nobody gets by.
  if (policy === undefined) return refuse("authz.error", "The endpoint's policies are not known.");
  const refusal = await admit(call.mesh, policy, arrivalOf(call, plan, endpoint), call.trail);
  if (refusal !== null) {
    // What was meant for this endpoint must not reach the next one.
    call.trail.edits = [];
    return refusal;
  }
  if (call.trail.edits.length === 0) return call;
  const headers = new Headers(call.headers);
  applyEdits(headers, call.trail);
  return { ...call, headers };
}

/**
 * Decides by the policies that protect the endpoint of a call now, long after
 * it was admitted: that of the service that answered, be it one that stood in.
 * Where the endpoint is gone, its policies are, too: what was decided stays.
 */
export async function admitToAnew(call: Call, plan: Plan): Promise<Refusal | null> {
  const linked = call.mesh.state.snapshot.view.units.get(serviceKey(call.trail.destination));
  if (linked?.kind !== "service") return null;
  const { endpoints, inbound } = linked.unit;
  const endpoint = endpoints.find(({ id }) => id === call.trail.endpoint);
  const policy = endpoint === undefined ? undefined : inbound[endpoint.inbound];
  if (policy === undefined) return null;
  return admitAnew(
    call.mesh,
    policy,
    { ...inputOf(call, { ...plan, port: portOf(linked, plan.port) }), provedAt: call.trail.arrivedAt },
    startTrail(0, call.trail.requestId, call.trail.method),
  );
}

function arrivalOf(call: Call, plan: Plan, { id }: Endpoint): Arrival {
  return { ...inputOf(call, plan), service: plan.service.id, endpoint: id };
}

function inputOf(call: Call, plan: Plan): AdmissionInput {
  return {
    caller: call.caller,
    host: hostOf(call, plan),
    port: plan.port,
    method: call.request.method,
    path: plan.path,
    query: call.view.query,
    headers: call.headers,
    // `onward` has taken the mesh's own away.
    isBearerOurs: false,
    shown: call.shown,
    where: {
      headers: call.request.headers,
      isFromOutside: call.isFromOutside,
      trustedHops: call.mesh.settings.trustedHops,
    },
  };
}

/** Does to an admitted call what the service's fault policies ask for. `null`: it goes on. */
export async function sufferAt(call: Call, plan: Plan, endpoint: Endpoint): Promise<Refusal | null> {
  const faults = plan.service.faults[endpoint.inbound] ?? [];
  return faults.length === 0 ? null : suffer(call, faults, plan.timeouts);
}

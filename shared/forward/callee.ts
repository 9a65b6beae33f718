/**
 * The callee's side of a call, where the host that sends it runs the inbound
 * half for the endpoint.
 *
 * @module
 */
import type { Endpoint } from "../engine/endpoint.ts";
import type { Call } from "./call.ts";
import { applyEdits } from "./end-users.ts";
import { suffer } from "./faults.ts";
import { admit } from "./inbound.ts";
import { hostOf } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";

/** Decides by the policies that protect an endpoint. `null` admits the call. */
export async function admitTo(call: Call, plan: Plan, endpoint: Endpoint): Promise<Refusal | null> {
  const policy = plan.service.unit.inbound[endpoint.inbound];
  // Checked when the unit came in; should it ever be wrong, nobody gets by.
  if (policy === undefined) return refuse("authz.error", "The endpoint's policies are not known.");
  const input = {
    caller: call.caller,
    host: hostOf(call, plan),
    port: plan.port,
    method: call.request.method,
    path: plan.path,
    query: call.view.query,
    headers: call.headers,
    // `onward` has taken the mesh's own away.
    isBearerOurs: false,
    where: {
      headers: call.request.headers,
      isFromOutside: call.isFromOutside,
      trustedHops: call.mesh.settings.trustedHops,
    },
  };
  const refusal = await admit(call.mesh, policy, input, call.trail);
  if (refusal === null) applyEdits(call.headers, call.trail);
  return refusal;
}

/** Does to an admitted call what the service's fault policies ask for. `null`: it goes on. */
export async function sufferAt(call: Call, plan: Plan, endpoint: Endpoint): Promise<Refusal | null> {
  const faults = plan.service.faults[endpoint.inbound] ?? [];
  return faults.length === 0 ? null : suffer(call, faults, plan.timeouts);
}

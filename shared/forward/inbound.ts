/**
 * The inbound half: may this caller make this call, and how often. Runs on
 * the callee's side of a call, fails closed.
 *
 * @module
 */
import { authorize } from "../engine/authorize.ts";
import type { Authorization, AuthorizationInput } from "../engine/authorize.ts";
import type { KeyInput } from "../engine/limit-key.ts";
import type { InboundPolicy } from "../engine/snapshot.ts";
import type { Trail } from "./call.ts";
import { takeAll } from "./limits.ts";
import { sourceIpOf } from "./onward.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";
import type { Mesh } from "./state.ts";

/** A call as the workload will see it. */
export interface InboundInput extends AuthorizationInput {
  /** As sent, without the `?`. */
  readonly query: string;
}

/**
 * Decides one call by the policies of the workload that is to answer it.
 * `null` admits; what limits tell an admitted caller is noted in the trail. Any failure
 * to decide is a refusal.
 */
export async function admit(
  mesh: Mesh,
  policy: InboundPolicy,
  input: InboundInput,
  trail: Trail,
): Promise<Refusal | null> {
  try {
    if (policy.peer === "strict" && input.caller === null)
      return refuse("authn.missing", "Send a token of the mesh: Authorization: Bearer <token>.");
    const refusal = authorized(policy.authorization, input, trail);
    if (refusal !== null || policy.limits.length === 0) return refusal;
    const decision = await takeAll(mesh, policy.limits, keyInputOf(input));
    if (decision.kind === "refusal") return decision;
    if (decision.fields.length > 0) trail.limitFields = decision.fields;
    return null;
  } catch (error) {
    // Fail closed: a policy that cannot be decided denies.
    mesh.ports.log({ event: "authz.error", request: trail.requestId, error: String(error).slice(0, 256) });
    return refuse("authz.error", "The policy could not be decided.");
  }
}

function keyInputOf({ caller, method, path, query, headers }: InboundInput): KeyInput {
  return {
    caller: caller?.principal ?? null,
    method,
    path,
    query,
    headers,
    address: () => sourceIpOf(headers),
  };
}

/** Decides by authorization policies alone: what protects a gateway. May throw: callers turn that into a refusal. */
export function authorized(
  authorization: Authorization,
  input: AuthorizationInput,
  trail: Trail,
): Refusal | null {
  const decision = authorize(authorization, input);
  trail.decider = decision.by ?? "";
  if (decision.kind === "allow") return null;
  // Which policy denied is for the operator's log: outside, names of policies are of use to attackers only.
  return decision.by === null
    ? refuse("authz.default_deny", "No policy allows this caller to make this call.")
    : refuse("authz.rule", "A policy denies this call.");
}

/**
 * The inbound half: may this caller make this call, and how often. Runs on
 * the callee's side of a call, fails closed.
 *
 * @module
 */
import { audited, authorize } from "../engine/authorize.ts";
import type { Authorization, AuthorizationInput } from "../engine/authorize.ts";
import type { KeyInput } from "../engine/limit-key.ts";
import type { InboundPolicy, PeerMode } from "../engine/snapshot.ts";
import { consult } from "./authorizer.ts";
import type { Trail } from "./call.ts";
import { addressesOf, clientAddress } from "./client-address.ts";
import type { Approach } from "./client-address.ts";
import { identifyUser } from "./end-users.ts";
import type { UserCredentials } from "./end-users.ts";
import type { Shown } from "./identify.ts";
import { takeAll } from "./limits.ts";
import * as recording from "./recording.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";
import { spendAt } from "./spend.ts";
import type { Mesh } from "./state.ts";

/** A call as the workload will see it. */
export interface InboundInput
  extends Omit<AuthorizationInput, "now" | "user" | "addresses">, UserCredentials {
  readonly headers: AuthorizationInput["headers"];
  readonly where: Approach;
}

/** The same with the tokens of the mesh that came with it. */
export interface AdmissionInput extends InboundInput {
  readonly shown: Shown;
}

/** A call at the workload that is to answer it. */
export interface Arrival extends AdmissionInput {
  /** `namespace/name` of the service called; `null` at the workload itself. */
  readonly service: string | null;
  /** Id of the service's endpoint; at the workload itself `namespace/name` of its Endpoint. */
  readonly endpoint: string;
}

/**
 * Decides one call by the policies of the workload that is to answer it.
 * `null` admits; what limits tell an admitted caller, and what the callee is
 * to see of an end user, is noted in the trail. Any failure to decide is a refusal.
 */
export async function admit(
  mesh: Mesh,
  policy: InboundPolicy,
  arrival: Arrival,
  trail: Trail,
): Promise<Refusal | null> {
  try {
    const known = knownAt(policy, arrival);
    const entering = "kind" in known ? known : enter(mesh, policy, known, trail);
    const entered = entering instanceof Promise ? await entering : entering;
    const sample = mesh.settings.recordsCalls ? recording.due(mesh, policy, entered) : null;
    if (sample !== null) recording.take(mesh, sample, { policy, arrival, trail, refusal: entered });
    if ("kind" in known || entered !== null) return entered;
    // Before limits: a token that is shown again must not use up its workload's.
    const once = policy.tokens?.once;
    const refusal = once === undefined ? null : await spendAt(mesh, once, known, known.shown);
    if (refusal !== null || policy.limits.length === 0) return refusal;
    const decision = await takeAll(mesh, policy.limits, keyInputOf(known));
    if (decision.kind === "refusal") return decision;
    if (decision.fields.length > 0) trail.limitFields = decision.fields;
    return null;
  } catch (error) {
    return undecided(mesh, trail, error);
  }
}

/**
 * Decides anew about a call that was admitted before and is still open, by
 * what the policies say now. Takes nothing from limits, and spends no token.
 */
export async function admitAnew(
  mesh: Mesh,
  policy: InboundPolicy,
  input: AdmissionInput,
  trail: Trail,
): Promise<Refusal | null> {
  const known = knownAt(policy, input);
  return "kind" in known ? known : enter(mesh, policy, known, trail);
}

/** The call with who is known to call at its port; refused when somebody must be and nobody is, or not well enough. */
function knownAt(policy: InboundPolicy, input: AdmissionInput): AdmissionInput | Refusal {
  const mode = modeAt(policy, input.port);
  if (mode === "disabled") return { ...input, caller: null };
  if (policy.tokens?.isBound === true && input.shown.isUnbound) return unbound();
  // A mode that nobody knows is as strict as the strictest.
  return mode !== "permissive" && input.caller === null ? unproved() : input;
}

function unproved(): Refusal {
  return refuse("authn.missing", "Send a token of the mesh: Authorization: Bearer <token>.");
}

function unbound(): Refusal {
  return refuse(
    "authn.token.unbound",
    "A token alone proves nobody here: call with your client certificate, or through a binding to the mesh.",
  );
}

/** Whether callers at a port must prove who they are. */
export function modeAt(
  { peer, peerPorts }: Pick<InboundPolicy, "peer" | "peerPorts">,
  port: number,
): PeerMode {
  return peerPorts?.find((one) => one.port === port)?.mode ?? peer;
}

function keyInputOf({ caller, method, path, query, headers, where }: InboundInput): KeyInput {
  return {
    caller: caller?.principal ?? null,
    method,
    path,
    query,
    headers,
    address: () => clientAddress(where),
  };
}

/** What protects a workload, or a gateway. */
export type Protection = {
  readonly authorization: Authorization;
  readonly users?: InboundPolicy["users"] | undefined;
};

/**
 * Decides by policies about end users and authorization alone: what protects
 * a gateway. `null` admits. Any failure to decide is a refusal.
 */
export function enter(
  mesh: Mesh,
  { authorization, users }: Protection,
  input: InboundInput,
  trail: Trail,
): Refusal | null | Promise<Refusal | null> {
  try {
    if (users !== undefined || authorization.custom !== undefined)
      return enterSlowly(mesh, { authorization, users }, input, trail);
    return authorized(mesh, authorization, inputOf(mesh, authorization, input), trail);
  } catch (error) {
    return undecided(mesh, trail, error);
  }
}

/** Whatever has to be waited for: the user's token, and who else must agree. */
async function enterSlowly(
  mesh: Mesh,
  { authorization, users }: Protection,
  input: InboundInput,
  trail: Trail,
): Promise<Refusal | null> {
  try {
    const identified = users === undefined ? NOBODY : await identifyUser(mesh, users, input);
    if (identified.kind === "refusal") return identified;
    trail.user = identified.user;
    const asked = { ...inputOf(mesh, authorization, input), user: identified.user, query: input.query };
    const agreed =
      authorization.custom === undefined ? AGREED : await consult(mesh, authorization.custom, asked);
    if (agreed.kind === "refusal") return agreed;
    trail.edits = [...identified.edits, ...agreed.edits];
    return authorized(mesh, authorization, asked, trail);
  } catch (error) {
    return undecided(mesh, trail, error);
  }
}

const NOBODY = { kind: "user", user: null, edits: [] } as const;
const AGREED = { kind: "agreed", edits: [] } as const;

/** Fail closed: a policy that cannot be decided denies. */
function undecided(mesh: Mesh, trail: Trail, error: unknown): Refusal {
  mesh.ports.log({ event: "authz.error", req_id: trail.requestId, error: String(error).slice(0, 256) });
  return refuse("authz.error", "The policy could not be decided.");
}

/** The addresses are read only for policies that ask for them. */
function inputOf(
  { ports }: Mesh,
  { readsAddresses }: Authorization,
  input: InboundInput,
): AuthorizationInput {
  const { caller, host, port, method, path, headers } = input;
  const addresses = readsAddresses === true ? addressesOf(input.where) : null;
  const asked = { caller, host, port, method, path, headers, now: ports.now() };
  return addresses === null ? asked : { ...asked, addresses };
}

function authorized(
  mesh: Mesh,
  authorization: Authorization,
  input: AuthorizationInput,
  trail: Trail,
): Refusal | null {
  if (authorization.audit !== undefined || authorization.trial !== undefined)
    watch(mesh, authorization, input, trail);
  const decision = authorize(authorization, input);
  trail.decider = decision.by ?? "";
  if (decision.kind === "allow") return null;
  // Which policy denied is for the operator's log: outside, names of policies are of use to attackers only.
  return decision.by === null
    ? refuse("authz.default_deny", "No policy allows this caller to make this call.")
    : refuse("authz.rule", "A policy denies this call.");
}

/** Tells what policies would say that decide nothing. One that cannot be read, of a newer release, keeps nobody out either. */
function watch(mesh: Mesh, authorization: Authorization, input: AuthorizationInput, trail: Trail): void {
  try {
    tellOf(mesh, authorization, input, trail);
  } catch (error) {
    mesh.ports.log({
      event: "authz.unwatched",
      req_id: trail.requestId,
      error: String(error).slice(0, 256),
    });
  }
}

/** Tells of calls that are audited, and of those that policies on trial would deny. */
function tellOf(
  { ports, state }: Mesh,
  { audit, trial }: Authorization,
  input: AuthorizationInput,
  trail: Trail,
): void {
  const told = {
    req_id: trail.requestId,
    source: input.caller?.principal ?? "",
    method: input.method,
    path: input.path,
  };
  const rule = audit === undefined ? null : audited(audit, input);
  if (rule !== null) {
    state.meter.host.auditedCalls += 1;
    ports.log({ event: "authz.audit", policy: rule, ...told });
  }
  const decision = trial === undefined ? null : authorize(trial, input);
  if (decision?.kind !== "deny") return;
  state.meter.host.trialDenials += 1;
  ports.log({ event: "authz.dry_run", policy: decision.by ?? "default deny", ...told });
}

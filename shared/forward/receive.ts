/**
 * The inbound half for a workload that runs it itself: who calls, and may
 * they, before the workload's own code sees the request.
 *
 * @module
 */
import type { Caller } from "../engine/authorize.ts";
import { DIRECTORY, workloadKey } from "../engine/snapshot.ts";
import type { WorkloadUnit } from "../engine/snapshot.ts";
import { PRIORITY_HEADER, parsePriority } from "../engine/priority.ts";
import type { Priority } from "../engine/priority.ts";
import { RETRY_HEADER } from "../engine/retry.ts";
import { DEADLINE_HEADER, remainingMs, withDeadline } from "../engine/timeout.ts";
import { spiffeId } from "../identity/spiffe.ts";
import { respond, statusOf } from "./answers.ts";
import { MIRRORED_HEADER, startTrail, workloadOf } from "./call.ts";
import type { Trail } from "./call.ts";
import * as door from "./door.ts";
import { directoryOf, identify, shownBy } from "./identify.ts";
import type { Credentials, Identity } from "./identify.ts";
import { applyEdits } from "./end-users.ts";
import { suffer } from "./faults.ts";
import { admit, admitAnew } from "./inbound.ts";
import type { AdmissionInput } from "./inbound.ts";
import { mayWaitLong } from "./long-calls.ts";
import type { LongCall } from "./long-calls.ts";
import { clientCertificate, requestIdOf } from "./onward.ts";
import * as overload from "./overload.ts";
import { revokedSince } from "./proofs.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";
import { spendAt } from "./spend.ts";
import type { Mesh } from "./state.ts";
import { prepare } from "./sync.ts";
import { tell } from "./tell.ts";
import type { LinkedWorkload, View } from "./view.ts";

/** A request that may go on to the workload. */
export interface Welcome {
  readonly kind: "welcome";
  readonly caller: Caller | null;
  /** Says nothing about the caller that was not proved. */
  readonly request: Request;
  /** What rate limits tell the caller: to be added to the workload's answer. */
  readonly limitFields: Trail["limitFields"];
  /** To be called when the workload has answered, or failed; `null` where nobody counts its calls. */
  readonly end: (() => void) | null;
  /** To be watched over here, if it stays open; `null` where the host that it came by does that. */
  readonly long: LongCall | null;
  /** Its caller may wait long for the answer. */
  readonly isPatient: boolean;
}

/**
 * Receives a call for the workload of an Endpoint, `namespace/name`. Answers
 * with the response when it is refused; without the workload's policies,
 * every call is.
 */
export async function receive(mesh: Mesh, request: Request, endpoint: string): Promise<Welcome | Response> {
  const requestId = requestIdOf(request.headers, mesh.ports.random);
  const trail = startTrail(mesh.ports.now(), requestId, request.method);
  // Whoever carried the call here counts it.
  trail.isMetered = false;
  const outcome = await safely(mesh, request, endpoint, trail);
  if (outcome.kind === "welcome") return outcome;
  tell(mesh, trail, outcome, statusOf(outcome));
  return respond(outcome, requestId, request.method);
}

async function safely(
  mesh: Mesh,
  request: Request,
  endpoint: string,
  trail: Trail,
): Promise<Welcome | Refusal> {
  try {
    return await check(mesh, request, endpoint, trail);
  } catch (error) {
    // Fail closed: whatever went wrong, the workload does not see the call.
    mesh.ports.log({ event: "authz.error", req_id: trail.requestId, error: String(error).slice(0, 256) });
    return refuse("authz.error", "The policy could not be decided.");
  }
}

async function check(
  mesh: Mesh,
  request: Request,
  endpoint: string,
  trail: Trail,
): Promise<Welcome | Refusal> {
  const loading = prepare(mesh, [DIRECTORY, workloadKey(endpoint)]);
  if (loading !== null) await loading;
  const { view } = mesh.state.snapshot;
  const workload = workloadUnit(mesh, endpoint);
  const directory = directoryOf(mesh);
  if (workload === null || directory === null)
    return refuse("control.unavailable", "The policies of this service cannot be loaded: try again.", 1_000);
  trail.destination = workload.unit.workload;
  const [namespace = "", serviceAccount = ""] = workload.unit.workload.split("/");
  const audiences = [spiffeId(directory.trustDomain, namespace, serviceAccount)];
  const credentials = { headers: request.headers, vouched: null, audiences };
  const identity = await identify(mesh, credentials);
  if (identity.kind === "refusal") return identity;
  if (identity.caller !== null) trail.source = workloadOf(identity.caller);
  const visit = { mesh, request, trail, endpoint, credentials, view };
  const decision = identity.isAdmitted
    ? await letPass(visit, workload, identity)
    : await decide(visit, workload, identity);
  return decision.kind === "welcome" ? letIn(visit, workload, decision) : decision;
}

/** Last, for all that was waited for before takes from the call's time: nobody works for a caller that has given up. */
function letIn(
  { mesh, request, trail }: Visit,
  { unit }: LinkedWorkload,
  welcome: Welcome,
): Welcome | Refusal {
  const timeouts = withDeadline({}, request.headers.get(DEADLINE_HEADER));
  const leftMs = remainingMs(timeouts, trail.arrivedAt, mesh.ports.now());
  if (leftMs === 0) return refuse("upstream.timeout", "The call's time had run out on its way here.");
  const policy = unit.inbound.overload;
  if (policy === undefined) return welcome;
  const priority = believedPriority(request, welcome.caller) ?? "default";
  const stay = overload.enter(mesh, policy, { priority, leftMs });
  return stay.kind === "refusal" ? stay : { ...welcome, end: stay.end };
}

/** Whoever has not proved to belong to the mesh may only lower it. */
function believedPriority({ headers }: Request, caller: Caller | null): Priority | null {
  const priority = parsePriority(headers.get(PRIORITY_HEADER));
  return caller === null && priority === "high" ? null : priority;
}

/** The workload's unit as the view has it; `null` when there is none. */
export function workloadUnit(mesh: Mesh, endpoint: string): LinkedWorkload | null {
  const linked = mesh.state.snapshot.view.units.get(workloadKey(endpoint));
  return linked?.kind === "workload" ? linked : null;
}

interface Visit {
  readonly mesh: Mesh;
  readonly request: Request;
  readonly trail: Trail;
  /** `namespace/name` of the workload's Endpoint. */
  readonly endpoint: string;
  readonly credentials: Credentials;
  /** As it was before anything was decided. */
  readonly view: View;
}

/** The edge has been through all else, with the same policies; but its token may have been shown to others since. */
async function letPass(
  { mesh, request, trail }: Visit,
  { unit }: LinkedWorkload,
  identity: Identity,
): Promise<Welcome | Refusal> {
  const { caller } = identity;
  const welcome = {
    kind: "welcome",
    caller,
    request,
    limitFields: [],
    end: null,
    long: null,
    isPatient: false,
  } as const;
  const once = unit.inbound.tokens?.once;
  if (once === undefined) return welcome;
  const entry = door.read(request, "worker");
  if (entry.kind === "refusal") return entry;
  trail.path = entry.view.path;
  const { host, method, path } = entry.view;
  const operation = { host, port: portOf(unit, entry.view.port), method, path };
  return (await spendAt(mesh, once, operation, shownBy(identity))) ?? welcome;
}

async function decide(
  visit: Visit,
  { unit, faults }: LinkedWorkload,
  identity: Identity,
): Promise<Welcome | Refusal> {
  const { mesh, request, trail, endpoint } = visit;
  const { caller, isBearerOurs } = identity;
  const entry = door.read(request, "worker");
  if (entry.kind === "refusal") return entry;
  const timeouts = withDeadline({}, request.headers.get(DEADLINE_HEADER));
  trail.path = entry.view.path;
  trail.hops = entry.hops;
  const { host, method, path, query } = entry.view;
  const port = portOf(unit, entry.view.port);
  const certificate = caller === null ? null : clientCertificate(caller, unit.workload);
  // Before policies see it: they may read those fields, too.
  const own = withoutClaims(request, entry, { caller, certificate });
  const { headers } = own;
  // Who proves to be of the mesh is believed what it tells of its own client.
  const where = { headers, isFromOutside: caller === null, trustedHops: mesh.settings.trustedHops };
  const shown = shownBy(identity);
  const input = { caller, host, port, method, path, query, headers, isBearerOurs, where, shown };
  const refusal = await admit(mesh, unit.inbound, { ...input, service: null, endpoint }, trail);
  if (refusal !== null) return refusal;
  const victim = { mesh, view: entry.view, caller, trail };
  const fault = faults.length === 0 ? null : await suffer(victim, faults, timeouts);
  if (fault !== null) return fault;
  const { limitFields, edits } = trail;
  const long = longCallOf(visit, identity, input);
  const isPatient = mayWaitLong(timeouts.requestMs ?? null);
  return { kind: "welcome", caller, request: edited(own, edits), limitFields, end: null, long, isPatient };
}

function longCallOf(visit: Visit, identity: Identity, input: AdmissionInput): LongCall {
  const { trail, endpoint, view } = visit;
  return {
    requestId: trail.requestId,
    needs: () => [DIRECTORY, workloadKey(endpoint)],
    view,
    admit: () => admitOpen(visit, identity, input),
  };
}

/** Whether an open call would be let in now. `null` admits, as where the workload's policies are gone with its Endpoint. */
async function admitOpen(
  { mesh, trail, endpoint, credentials }: Visit,
  { caller, tokens }: Identity,
  input: AdmissionInput,
): Promise<Refusal | null> {
  const workload = workloadUnit(mesh, endpoint);
  const directory = directoryOf(mesh);
  if (workload === null || directory === null) return null;
  const since = trail.arrivedAt;
  const revoked = revokedSince(directory, { caller, tokens, certificate: null, since });
  if (revoked !== null) return revoked;
  const now = await identify(mesh, credentials);
  // A token that has run out was good when the call began.
  if (now.kind === "refusal" && now.problem.code !== "authn.token.expired") return now;
  const again = startTrail(since, trail.requestId, trail.method);
  return admitAnew(mesh, workload.unit.inbound, { ...input, provedAt: since }, again);
}

/** The port that is meant. A caller who names one that is nobody's must not get by what policies say of those that are. */
function portOf({ ports = [] }: WorkloadUnit, asked: number): number {
  return ports.includes(asked) ? asked : (ports[0] ?? asked);
}

/** Fields of a host of the mesh that called directly; anything else of ours was made up. */
const EXPECTED = new Set([
  "x-selvedge-peer",
  "x-selvedge-hops",
  "x-forwarded-client-cert",
  DEADLINE_HEADER,
  RETRY_HEADER,
  PRIORITY_HEADER,
  MIRRORED_HEADER,
]);

/** Fields that say nothing about the caller, and matter to the calls that the workload makes. */
const KEPT = new Set(["x-selvedge-hops", DEADLINE_HEADER, PRIORITY_HEADER]);

interface Proof {
  readonly caller: Caller | null;
  readonly certificate: string | null;
}

/** The request itself if nothing of it changes. */
function edited(request: Request, edits: Trail["edits"]): Request {
  if (edits.length === 0) return request;
  const headers = new Headers(request.headers);
  applyEdits(headers, { edits });
  return new Request(request, { headers });
}

/** The request itself if what it says about its caller was proved, else a copy that does not say it. */
function withoutClaims(request: Request, { owned }: door.Entry, { caller, certificate }: Proof): Request {
  const isBoasting = owned.includes(PRIORITY_HEADER) && believedPriority(request, caller) === null;
  const isTrue =
    !isBoasting &&
    request.headers.get("x-forwarded-client-cert") === certificate &&
    owned.every((name) => EXPECTED.has(name));
  if (isTrue || owned.length === 0) return request;
  const headers = new Headers(request.headers);
  for (const name of owned) if (!KEPT.has(name)) headers.delete(name);
  if (isBoasting) headers.delete(PRIORITY_HEADER);
  if (certificate !== null) headers.set("x-forwarded-client-cert", certificate);
  return new Request(request, { headers });
}

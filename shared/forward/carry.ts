/**
 * The life of a call, from the door to the answer. Every host runs this; what
 * differs between them is their `Reception` and their ports.
 *
 * @module
 */
import type { Caller } from "../engine/authorize.ts";
import type { PathLevel } from "../engine/path.ts";
import type { RequestView } from "../engine/request.ts";
import { PRIORITY_HEADER, parsePriority } from "../engine/priority.ts";
import { RETRY_HEADER } from "../engine/retry.ts";
import { DIRECTORY, serviceKey } from "../engine/snapshot.ts";
import type { DirectoryUnit, UnitKey } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import { DEADLINE_HEADER, remainingMs } from "../engine/timeout.ts";
import { meshAudience } from "../identity/spiffe.ts";
import { respond, statusOf } from "./answers.ts";
import { MIRRORED_HEADER, NOTHING_TOLD, startTrail, workloadOf } from "./call.ts";
import type { Call, Told, Trail } from "./call.ts";
import { admitToAnew } from "./callee.ts";
import type { KnownCertificate, ShownCertificate } from "./client-certificate.ts";
import { deliver } from "./deliver.ts";
import { levelAt } from "./directory.ts";
import type { LinkedDirectory } from "./directory.ts";
import { applyEdits } from "./end-users.ts";
import * as door from "./door.ts";
import { admitToGate, openGate } from "./gate.ts";
import type { GatewayAddress } from "./gateway-address.ts";
import { directoryOf, identify, linkedDirectoryOf, shownBy } from "./identify.ts";
import type { Identity } from "./identify.ts";
import { holdOpen, isLongLived, mayWaitLong, watchWhile } from "./long-calls.ts";
import type { LongCall } from "./long-calls.ts";
import { onward, requestIdOf, traceOf } from "./onward.ts";
import { throughHost, toEndpoint, toService } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { certificateOf, revokedSince } from "./proofs.ts";
import { refuse } from "./refusal.ts";
import type { Answer, Refusal } from "./refusal.ts";
import type { Mesh } from "./state.ts";
import { prepare } from "./sync.ts";
import { tell } from "./tell.ts";
import type { View } from "./view.ts";

/** Where a call wants to go. Services are `namespace/name`. */
export type Goal =
  | { readonly kind: "service"; readonly service: string }
  /** One endpoint, chosen by the host that the call comes from. */
  | { readonly kind: "endpoint"; readonly service: string; readonly port: number; readonly endpoint: string }
  /** Whatever a gateway serves at the host; with an address, only what is served there. */
  | { readonly kind: "gateway"; readonly address?: GatewayAddress }
  | { readonly kind: "unknown" };

/** How a host takes calls in. */
export interface Reception {
  /** Nothing that the request says about earlier hops is believed. */
  readonly isFromOutside: boolean;
  /** Looks for tokens; otherwise the caller is who is vouched for. */
  readonly readsTokens: boolean;
  /** Who the platform or the host itself vouches for. The directory is loaded when it is asked. */
  vouched(): Caller | null;
  /** The client certificate of the connection. Absent: there is none. */
  readonly certificate?: ShownCertificate | null;
  goalOf(view: RequestView): Goal;
  /** Aborts when nobody waits for the answer any more; `null`: the call goes on whatever happens. */
  readonly signal: AbortSignal | null;
  /** Units that this host needs besides the goal's. */
  readonly needs: readonly UnitKey[];
}

interface Journey {
  readonly mesh: Mesh;
  readonly request: Request;
  readonly reception: Reception;
  readonly trail: Trail;
}

/** Carries one call. Never rejects: what goes wrong becomes an answer. */
export async function carry(mesh: Mesh, request: Request, reception: Reception): Promise<Response> {
  const { ports } = mesh;
  const requestId = requestIdOf(request.headers, ports.random);
  const trail = startTrail(ports.now(), requestId, request.method);
  const answer = await safely({ mesh, request, reception, trail });
  if (answer.kind === "response") {
    tell(mesh, trail, answer, answer.response.status);
    return answer.response;
  }
  tell(mesh, trail, answer, statusOf(answer));
  return respond(answer, requestId, request.method);
}

/** The outermost handler: a mistake of ours is logged once and answered without telling anything of it. */
async function safely(journey: Journey): Promise<Answer> {
  try {
    return await travel(journey);
  } catch (error) {
    const stack = error instanceof Error ? error.stack : String(error);
    journey.mesh.ports.log({
      event: "internal",
      req_id: journey.trail.requestId,
      error: stack?.slice(0, 2_000),
    });
    return refuse("internal", "The mesh made a mistake: give the request id to its operator.");
  }
}

async function travel(journey: Journey): Promise<Answer> {
  const { mesh, reception, trail } = journey;
  const read = await enter(journey);
  if (read.kind === "refusal") {
    // Another level of paths may be in force by now: clients that are refused must not keep an isolate from learning that.
    void prepare(mesh, [DIRECTORY]);
    return read;
  }
  trail.path = read.view.path;
  trail.hops = read.hops;

  const goal = reception.goalOf(read.view);
  const entry = goal.kind === "gateway" && goal.address !== undefined ? door.at(read, goal.address) : read;
  // The host that chose the endpoint counts the call.
  trail.isMetered = goal.kind !== "endpoint";
  const loading = prepare(mesh, needsOf(reception, goal));
  if (loading !== null) await loading;
  const directory = directoryOf(mesh);
  if (directory === null) return notLoaded();
  const { view } = mesh.state.snapshot;

  const identity = await whoCalls(journey, directory);
  if (identity.kind === "refusal") return identity;
  const boarding = { journey, entry, identity };
  const plan = await planFor(boarding, goal);
  if (plan.kind !== "decided") return plan;
  return mesh.settings.enforcesInbound
    ? deliverWatched(boarding, goal, plan, view)
    : deliver(plan.call, plan.plan);
}

/** Delivers a call and watches over it, if it waits long for its answer or the answer stays open. */
async function deliverWatched(
  boarding: Boarding,
  goal: Goal,
  { call, plan }: Decided,
  view: View,
): Promise<Answer> {
  const { mesh } = boarding.journey;
  const isPatient = mayWaitLong(remainingMs(plan.timeouts, call.trail.arrivedAt, mesh.ports.now()));
  const answer = isPatient
    ? await watchWhile(mesh, longCallOf(boarding, goal, { call, plan }, view), call.signal, (signal) =>
        deliver({ ...call, signal }, plan),
      )
    : await deliver(call, plan);
  if (answer.kind !== "response" || !isLongLived(answer.response, isPatient)) return answer;
  return holdOpen(mesh, longCallOf(boarding, goal, { call, plan }, view), answer.response);
}

function longCallOf(boarding: Boarding, goal: Goal, { call, plan }: Boarded, view: View): LongCall {
  const { mesh, trail, reception } = boarding.journey;
  const certificate = certificateOf(mesh, reception.certificate);
  return {
    requestId: trail.requestId,
    // Another service may stand in.
    needs: () => [...needsOf(reception, goal), serviceKey(trail.destination)],
    view,
    admit: () => admitAnew(boarding, goal, { call, plan }, certificate),
  };
}

/** Whether an open call would be let in now: by its proofs, its gateway and its endpoint. `null` admits. */
async function admitAnew(
  { journey, entry, identity }: Boarding,
  goal: Goal,
  { call, plan }: Boarded,
  certificate: KnownCertificate | null,
): Promise<Refusal | null> {
  const { mesh, trail, reception } = journey;
  const directory = directoryOf(mesh);
  if (directory === null) return null;
  const since = trail.arrivedAt;
  const { caller, tokens } = identity;
  const revoked = revokedSince(directory, { caller, tokens, certificate, since });
  if (revoked !== null) return revoked;
  const refused = isOver(certificate, mesh.ports.now()) ? null : await refusedNow(journey, directory);
  if (refused !== null) return refused;
  if (goal.kind === "gateway") {
    const gate = await openGate(mesh, entry.view, goal.address ?? null);
    const visitor = {
      view: entry.view,
      headers: fieldsOf({ journey, entry, identity }),
      identity,
      trail: { ...trail },
      isFromOutside: reception.isFromOutside,
      provedAt: since,
    };
    const refusal = gate.kind === "refusal" ? null : await admitToGate(mesh, gate, visitor);
    if (refusal !== null) return refusal;
  }
  return admitToAnew(call, plan);
}

/** A proof that has run out is not looked at further: when the call began, it was good. */
async function refusedNow(journey: Journey, directory: DirectoryUnit): Promise<Refusal | null> {
  const now = await whoCalls(journey, directory);
  return now.kind === "refusal" && now.problem.code !== "authn.token.expired" ? now : null;
}

function isOver(certificate: KnownCertificate | null, now: Millis): boolean {
  return certificate !== null && now >= certificate.expiresAt;
}

function needsOf(reception: Reception, goal: Goal): readonly UnitKey[] {
  const needs = [DIRECTORY, ...reception.needs];
  if (goal.kind === "service" || goal.kind === "endpoint") needs.push(serviceKey(goal.service));
  return needs;
}

/** Reads the request by the level of paths at its door. An isolate that knows no doors yet has to learn of them first. */
function enter(journey: Journey): door.Entry | Refusal | Promise<door.Entry | Refusal> {
  const { mesh, request, reception } = journey;
  const source = reception.isFromOutside ? "outside" : "worker";
  const directory = linkedDirectoryOf(mesh);
  if (directory === null) return enterCold(journey, source);
  if (directory.isStrict) return door.read(request, source);
  return door.read(request, source, (view) => levelOf(directory, reception.goalOf(view), view));
}

async function enterCold(journey: Journey, source: door.Source): Promise<door.Entry | Refusal> {
  const { mesh, request, reception } = journey;
  const strict = door.read(request, source);
  // What the call needs besides is loaded at the same time, for a cold start to take one trip.
  const goal = strict.kind === "entry" ? reception.goalOf(strict.view) : null;
  const loading = prepare(mesh, needsOf(reception, goal ?? { kind: "unknown" }));
  if (loading !== null) await loading;
  return linkedDirectoryOf(mesh) === null ? strict : enter(journey);
}

function levelOf(directory: LinkedDirectory, goal: Goal, view: RequestView): PathLevel {
  return goal.kind === "gateway" ? levelAt(directory, view, goal.address ?? null) : "strict";
}

/** Who calls, where no tokens are looked for. */
const UNREAD = {
  kind: "identity",
  tokens: [],
  isUnbound: false,
  isAdmitted: false,
  isBearerOurs: false,
} as const;

async function whoCalls(
  { mesh, request, reception }: Journey,
  directory: DirectoryUnit,
): Promise<Identity | Refusal> {
  const vouched = reception.vouched();
  if (!reception.readsTokens) return { ...UNREAD, caller: vouched };
  const audiences = [meshAudience(directory.trustDomain)];
  const { certificate } = reception;
  return identify(mesh, { headers: request.headers, vouched, certificate, audiences });
}

interface Boarding {
  readonly journey: Journey;
  readonly entry: door.Entry;
  readonly identity: Identity;
}

interface Boarded {
  readonly call: Call;
  readonly plan: Plan;
}

interface Decided extends Boarded {
  readonly kind: "decided";
}

async function planFor(boarding: Boarding, goal: Goal): Promise<Decided | Answer> {
  const { mesh, trail } = boarding.journey;
  if (goal.kind === "unknown") return unknownHost();
  if (goal.kind === "gateway") {
    const gate = await openGate(mesh, boarding.entry.view, goal.address ?? null);
    if (gate.kind === "refusal") return gate;
    const { isFromOutside } = boarding.journey.reception;
    const { entry, identity } = boarding;
    const call = board(boarding, identity.caller ?? gate.caller);
    const visitor = { view: entry.view, headers: call.headers, identity, trail, isFromOutside };
    const refusal = await admitToGate(mesh, gate, visitor);
    if (refusal !== null) return refusal;
    applyEdits(call.headers, trail);
    return decided(call, await throughHost(call, gate.host));
  }
  const service = mesh.state.snapshot.view.units.get(serviceKey(goal.service));
  if (service?.kind !== "service")
    return mesh.state.snapshot.view.missing.has(serviceKey(goal.service)) ? unknownHost() : notLoaded();
  const call = board(boarding, boarding.identity.caller);
  return goal.kind === "endpoint"
    ? decided(call, toEndpoint(call, service, goal.port, goal.endpoint))
    : decided(call, await toService(call, service, boarding.entry.view.port));
}

function decided(call: Call, plan: Plan | Answer): Decided | Answer {
  return plan.kind === "plan" ? { kind: "decided", call, plan } : plan;
}

/** The fields that a call goes on with, as far as its host alone decides. */
function fieldsOf({ journey: { mesh, request, reception, trail }, entry, identity }: Boarding): Headers {
  return onward(request.headers, {
    entry,
    requestId: trail.requestId,
    trace: traceOf(request.headers, mesh.ports.random),
    isFromOutside: reception.isFromOutside,
    isBearerOurs: identity.isBearerOurs,
    trustedHops: mesh.settings.trustedHops,
  });
}

function board(boarding: Boarding, caller: Caller | null): Call {
  const { journey, entry, identity } = boarding;
  const { mesh, request, reception, trail } = journey;
  const headers = fieldsOf(boarding);
  if (caller !== null) trail.source = workloadOf(caller);
  const isMirrored = !reception.isFromOutside && entry.owned.includes(MIRRORED_HEADER);
  if (isMirrored) headers.set(MIRRORED_HEADER, "1");
  const told = toldBy(request.headers, entry, reception);
  const { view, hops } = entry;
  const { signal, isFromOutside } = reception;
  const who = { caller, client: identity.caller, shown: shownBy(identity), isFromOutside };
  return { mesh, request, view, ...who, hops, isMirrored, told, signal, headers, trail };
}

/** A deadline is believed of anybody, since it can only shorten. */
function toldBy(headers: Headers, { owned }: door.Entry, { isFromOutside }: Reception): Told {
  if (owned.length === 0) return NOTHING_TOLD;
  return {
    deadline: headers.get(DEADLINE_HEADER),
    retry: isFromOutside ? null : headers.get(RETRY_HEADER),
    priority: isFromOutside ? null : parsePriority(headers.get(PRIORITY_HEADER)),
  };
}

function unknownHost(): Refusal {
  return refuse("host.unknown", "Check the name: no service or gateway of the mesh answers to it.");
}

function notLoaded(): Refusal {
  return refuse("control.unavailable", "The mesh's configuration cannot be loaded now: try again.", 1_000);
}

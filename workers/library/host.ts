/**
 * The library host: the loop inside a joined Worker, for its own calls and
 * for those that it gets.
 *
 * @module
 */
import type { Caller } from "../../shared/engine/authorize.ts";
import type { Endpoint } from "../../shared/engine/endpoint.ts";
import type { Locality } from "../../shared/engine/locality.ts";
import { callerOf, parseWorkload } from "../../shared/identity/spiffe.ts";
import { directoryOf } from "../../shared/forward/identify.ts";
import type { Control, Destination, Ports, Way } from "../../shared/forward/ports.ts";
import { workloadUnit } from "../../shared/forward/receive.ts";
import { createState } from "../../shared/forward/state.ts";
import type { Mesh, MeshState } from "../../shared/forward/state.ts";
import type { MeshApi } from "../../shared/wire/rpc.ts";
import { holdMade } from "../hold.ts";
import { PIN_HEADER, formatPin } from "../pin.ts";
import { createWhereabouts, learnPlace, readPlace } from "../place.ts";
import type { Whereabouts } from "../place.ts";
import { ask, bindingOf, limiterOf, runtimePorts } from "../runtime.ts";
import type { MeshOptions } from "./context.ts";

/** A share of calls as Istio samples traces: 1 %. */
const LOG_SAMPLE_RATIO = 0.01;

const DIRECT: Way = { origin: null, carriesToken: true };
/** The edge knows the Worker by its binding, and gives the callee a token of its own. */
const BY_EDGE: Way = { origin: null, carriesToken: false };

/** One joined Worker's part of the mesh. */
export interface Host {
  readonly options: MeshOptions;
  /** Made by the first call: outside of a request there is no randomness to name the isolate by. */
  state: MeshState | null;
  /** Who this Worker is, made anew when its name or the trust domain changes: several decisions of a call ask. */
  self: { readonly workload: string; readonly trustDomain: string; readonly caller: Caller | null } | null;
  /** As the options say; `null` when they do not. */
  readonly place: Locality | null;
  readonly whereabouts: Whereabouts;
}

/** A host for a Worker, before its first call. */
export function createHost(options: MeshOptions): Host {
  const place = readPlace(options.locality);
  if (place === null && options.locality !== undefined)
    throw new Error(`locality: write region or region/zone, not "${options.locality}"`);
  return { options, state: null, self: null, place, whereabouts: createWhereabouts() };
}

/** What the platform calls a Worker with. */
export interface Invocation {
  readonly ctx: ExecutionContext;
  /** The request that it handles; `null` outside of `fetch`. */
  readonly incoming: Request | null;
}

/** The mesh as one invocation finds it; `null` when the Worker is not bound to it. */
export function meshOf(host: Host, env: unknown, { ctx, incoming }: Invocation): Mesh | null {
  const edge = bindingOf(env, host.options.binding ?? "MESH");
  if (edge === null) return null;
  const state = (host.state ??= createState(crypto.randomUUID()));
  if (host.place === null) learnPlace(host.whereabouts, incoming);
  const settings = {
    enforcesInbound: false,
    logSampleRatio: LOG_SAMPLE_RATIO,
    outlivesCalls: true,
    trustedHops: 0,
    recordsCalls: host.options.recordsCalls ?? true,
  };
  const ports: Ports = {
    ...runtimePorts(ctx, incoming),
    hold: holdMade,
    control: controlOf(edge as Fetcher & MeshApi),
    limiter: (name) => limiterOf(env, name),
    ask: (address, request) => ask(env, address, request),
    locality: () => host.place ?? host.whereabouts.place,
    wayTo: (endpoint) => (directBinding(mesh, host, env, endpoint) === null ? BY_EDGE : DIRECT),
    send: (endpoint, request, destination) => {
      const direct = directBinding(mesh, host, env, endpoint);
      return direct === null ? sendByEdge(edge, endpoint, request, destination) : direct.fetch(request);
    },
  };
  const mesh: Mesh = { state, ports, settings };
  return mesh;
}

/** Who this Worker is, by its Endpoint; `null` until that is loaded, and for a Worker that has none. */
export function selfOf(mesh: Mesh, host: Host): Caller | null {
  const workload = workloadUnit(mesh, host.options.workload)?.unit.workload;
  const trustDomain = directoryOf(mesh)?.trustDomain;
  if (workload === undefined || trustDomain === undefined) return null;
  if (host.self?.workload !== workload || host.self.trustDomain !== trustDomain) {
    const parsed = parseWorkload(workload);
    const caller = parsed === null ? null : callerOf({ trustDomain, ...parsed });
    host.self = { workload, trustDomain, caller };
  }
  return host.self.caller;
}

function controlOf(edge: Fetcher & MeshApi): Control {
  return {
    sync: (request) => edge.sync(request),
    report: (report) => edge.report(report),
    reportCircuits: (service, reports) => edge.reportCircuits(service, reports),
    claimProbe: (service, endpoint, reporter, forMs) => edge.claimProbe(service, endpoint, reporter, forMs),
    reportOutcomes: (service, report) => edge.reportOutcomes(service, report),
    take: (request) => edge.take(request),
    lease: (request) => edge.lease(request),
    spend: (request) => edge.spend(request),
    token: (_workload, audience) => edge.token(audience),
  };
}

/**
 * The Worker's own binding to an endpoint, if it may be used: the Worker
 * behind it must enforce its policies itself, be told who calls, and see all
 * that they ask for.
 */
function directBinding(
  mesh: Mesh,
  host: Host,
  env: unknown,
  { address, isJoined, isEdgeOnly }: Endpoint,
): Fetcher | null {
  if (address.kind !== "binding" || !isJoined || isEdgeOnly === true) return null;
  if (selfOf(mesh, host) === null) return null;
  return bindingOf(env, address.name);
}

/** The edge sends to the endpoint that was chosen here, and enforces the policies that protect it. */
function sendByEdge(
  edge: Fetcher,
  endpoint: Endpoint,
  request: Request,
  destination: Destination,
): Promise<Response> {
  request.headers.set(PIN_HEADER, formatPin(destination, endpoint.id));
  return edge.fetch(request);
}

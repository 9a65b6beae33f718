/**
 * The edge host: carries every call that reaches the mesh's Worker, both
 * halves, for callers and services that need not know of the mesh.
 *
 * @module
 */
import { recordsCalls } from "../../durable-objects/env.ts";
import type { Env } from "../../durable-objects/env.ts";
import type { Caller } from "../../shared/engine/authorize.ts";
import type { RequestView } from "../../shared/engine/request.ts";
import { DIRECTORY } from "../../shared/engine/snapshot.ts";
import { carry } from "../../shared/forward/carry.ts";
import type { Goal, Reception } from "../../shared/forward/carry.ts";
import type { GatewayAddress } from "../../shared/forward/gateway-address.ts";
import { insideName, outsideName } from "../../shared/forward/names.ts";
import type { Ports } from "../../shared/forward/ports.ts";
import { createState } from "../../shared/forward/state.ts";
import type { Mesh, MeshState, Settings } from "../../shared/forward/state.ts";
import { lookAgain, prepare } from "../../shared/forward/sync.ts";
import { ask, limiterOf, runtimePorts } from "../runtime.ts";
import { controlOf } from "./control.ts";
import { hold } from "../hold.ts";
import { PIN_HEADER, parsePin } from "../pin.ts";
import { createWhereabouts, learnPlace, readPlace } from "../place.ts";
import { send, wayTo } from "./send.ts";
import { shownCertificate } from "./shown-certificate.ts";

const DEFAULT_LOG_SAMPLE_RATIO = 0.01;

/** Made by the first call: outside of a request there is no randomness to name the isolate by. */
let state: MeshState | null = null;

/** Carries a call from outside: to a service by its mesh name, else to what a gateway serves at the host. */
export function carryFromOutside(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
  return carry(meshOf(env, ctx, request), request, {
    isFromOutside: true,
    signal: request.signal,
    readsTokens: true,
    vouched: () => null,
    certificate: shownCertificate(request.cf),
    goalOf: (view) => outsideGoal(view, env.SELVEDGE_MESH_DOMAIN),
    needs: [],
  });
}

/** Carries a call from outside that a trusted front took at one address of a gateway. */
export function carryThroughDoor(
  request: Request,
  address: GatewayAddress,
  { env, ctx }: { env: Env; ctx: ExecutionContext },
): Promise<Response> {
  return carry(meshOf(env, ctx, request), request, {
    isFromOutside: true,
    signal: request.signal,
    readsTokens: true,
    vouched: () => null,
    certificate: shownCertificate(request.cf),
    goalOf: () => ({ kind: "gateway", address }),
    needs: [],
  });
}

/** The version of configuration that this isolate carries calls by, after a look at the registry. */
export async function versionInForce(env: Env, ctx: ExecutionContext): Promise<number> {
  const mesh = meshOf(env, ctx, null);
  await prepare(mesh, [DIRECTORY]);
  await lookAgain(mesh);
  return mesh.state.snapshot.view.version;
}

/** Carries a call of a Worker that is bound to the mesh: the platform vouches for it. */
export function carryFromWorker(
  request: Request,
  caller: Caller,
  { env, ctx }: { env: Env; ctx: ExecutionContext },
): Promise<Response> {
  const reception: Reception = {
    isFromOutside: false,
    signal: request.signal,
    readsTokens: true,
    vouched: () => caller,
    goalOf: (view) => insideGoal(view, caller.namespace, env.SELVEDGE_MESH_DOMAIN),
    needs: [],
  };
  return carry(meshOf(env, ctx, request), request, reception);
}

/** What stays the same from call to call, as long as the platform hands out the same bindings. */
interface Fixed extends Pick<Ports, "wayTo" | "send" | "ask" | "control" | "limiter" | "locality"> {
  readonly env: Env;
  readonly settings: Settings;
}

let fixed: Fixed | null = null;

const whereabouts = createWhereabouts();

/** The mesh as one invocation finds it. */
function meshOf(env: Env, ctx: ExecutionContext, incoming: Request | null): Mesh {
  state ??= createState(crypto.randomUUID());
  if (fixed?.env !== env) fixed = fix(env);
  learnPlace(whereabouts, incoming);
  const { wayTo, send, ask, control, limiter, locality, settings } = fixed;
  return {
    state,
    ports: { ...runtimePorts(ctx, incoming), hold, wayTo, send, ask, control, limiter, locality },
    settings,
  };
}

function fix(env: Env): Fixed {
  const sendBy: Ports["send"] = (endpoint, request) => send(env, endpoint, request);
  const limiter: Ports["limiter"] = (name) => limiterOf(env, name);
  const told = readPlace(env.SELVEDGE_LOCALITY);
  return {
    env,
    wayTo,
    send: sendBy,
    ask: (address, request) => ask(env, address, request),
    control: controlOf(env),
    limiter,
    locality: () => told ?? whereabouts.place,
    settings: settingsOf(env),
  };
}

function settingsOf(env: Env): Settings {
  const ratio = Number(env.SELVEDGE_LOG_SAMPLE ?? DEFAULT_LOG_SAMPLE_RATIO);
  const logSampleRatio = Number.isFinite(ratio) ? ratio : DEFAULT_LOG_SAMPLE_RATIO;
  const hops = Number(env.SELVEDGE_TRUSTED_HOPS ?? 0);
  // What cannot be read trusts nobody.
  const trustedHops = Number.isInteger(hops) && hops > 0 ? hops : 0;
  return {
    enforcesInbound: true,
    logSampleRatio,
    outlivesCalls: false,
    trustedHops,
    recordsCalls: recordsCalls(env),
  };
}

function outsideGoal({ host }: RequestView, meshDomain: string): Goal {
  const service = outsideName(host, meshDomain);
  return service === null ? { kind: "gateway" } : { kind: "service", service };
}

function insideGoal({ host, headers }: RequestView, namespace: string, meshDomain: string): Goal {
  const pin = headers.get(PIN_HEADER);
  if (pin !== null) return parsePin(pin) ?? { kind: "unknown" };
  const service = insideName(host, namespace, meshDomain);
  return service === null ? { kind: "unknown" } : { kind: "service", service };
}

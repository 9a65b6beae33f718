/**
 * The edge host: carries every call that reaches the mesh's Worker, both
 * halves, for callers and services that need not know of the mesh.
 *
 * @module
 */
import type { Env } from "../../durable-objects/env.ts";
import type { Caller } from "../../shared/engine/authorize.ts";
import type { RequestView } from "../../shared/engine/request.ts";
import { carry } from "../../shared/forward/carry.ts";
import type { Goal, Reception } from "../../shared/forward/carry.ts";
import type { GatewayAddress } from "../../shared/forward/gateway-address.ts";
import { insideName, outsideName } from "../../shared/forward/names.ts";
import { createState } from "../../shared/forward/state.ts";
import type { Mesh, MeshState, Settings } from "../../shared/forward/state.ts";
import { runtimePorts } from "../runtime.ts";
import { controlOf } from "./control.ts";
import { PIN_HEADER, parsePin } from "../pin.ts";
import { send, wayTo } from "./send.ts";

const DEFAULT_LOG_SAMPLE_RATIO = 0.01;

/** Made by the first call: outside of a request there is no randomness to name the isolate by. */
let state: MeshState | null = null;

/** Carries a call from outside: to a service by its mesh name, else to what a gateway serves at the host. */
export function carryFromOutside(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
  return carry(meshOf(env, ctx), request, {
    isFromOutside: true,
    readsTokens: true,
    vouched: () => null,
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
  return carry(meshOf(env, ctx), request, {
    isFromOutside: true,
    readsTokens: true,
    vouched: () => null,
    goalOf: () => ({ kind: "gateway", address }),
    needs: [],
  });
}

/** Carries a call of a Worker that is bound to the mesh: the platform vouches for it. */
export function carryFromWorker(
  request: Request,
  caller: Caller,
  { env, ctx }: { env: Env; ctx: ExecutionContext },
): Promise<Response> {
  const reception: Reception = {
    isFromOutside: false,
    readsTokens: true,
    vouched: () => caller,
    goalOf: (view) => insideGoal(view, caller.namespace, env.SELVEDGE_MESH_DOMAIN),
    needs: [],
  };
  return carry(meshOf(env, ctx), request, reception);
}

/** The mesh as one invocation finds it. */
function meshOf(env: Env, ctx: ExecutionContext): Mesh {
  state ??= createState(crypto.randomUUID());
  const ports = {
    ...runtimePorts(ctx),
    wayTo,
    send: (endpoint: Parameters<typeof send>[1], request: Request) => send(env, endpoint, request),
    control: controlOf(env),
  };
  return { state, ports, settings: settingsOf(env) };
}

function settingsOf(env: Env): Settings {
  const ratio = Number(env.SELVEDGE_LOG_SAMPLE ?? DEFAULT_LOG_SAMPLE_RATIO);
  return { enforcesInbound: true, logSampleRatio: Number.isFinite(ratio) ? ratio : DEFAULT_LOG_SAMPLE_RATIO };
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

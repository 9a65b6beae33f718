/**
 * Calls from outside that come in by a Gateway: the virtual host that answers
 * to their host name, and the policies that protect the gateway itself.
 *
 * @module
 */
import type { Caller } from "../engine/authorize.ts";
import type { RequestView } from "../engine/request.ts";
import { DIRECTORY, virtualHostKey } from "../engine/snapshot.ts";
import type { Listener } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import { callerOf } from "../identity/spiffe.ts";
import type { Trail } from "./call.ts";
import { findGate, findGateAt } from "./directory.ts";
import type { Gate, LinkedDirectory } from "./directory.ts";
import type { GatewayAddress } from "./gateway-address.ts";
import type { Identity } from "./identify.ts";
import { enter } from "./inbound.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";
import type { Mesh } from "./state.ts";
import { prepare } from "./sync.ts";
import type { LinkedHost } from "./view.ts";

export interface OpenGate {
  readonly kind: "gate";
  readonly listener: Listener;
  readonly host: LinkedHost;
  /** The gateway's own identity: for services, it is who calls on behalf of callers without one. */
  readonly caller: Caller;
}

/**
 * Finds the virtual host for a request, and loads it when this isolate has not
 * seen it yet. At an address, only that gateway's listeners there are asked.
 */
export async function openGate(
  mesh: Mesh,
  view: RequestView,
  address: GatewayAddress | null,
): Promise<OpenGate | Refusal> {
  const { snapshot } = mesh.state;
  const directory = snapshot.view.units.get(DIRECTORY);
  if (directory?.kind !== "directory") return unknownHost();
  const gate = findGateFor(directory, view, address);
  if (gate === null) return unknownHost();
  const { listener, domain } = gate;
  if (listener === null || domain === null)
    return refuse("route.none", "The gateway has no route for this host.");
  const key = virtualHostKey(listener.id, domain);
  await prepare(mesh, [key]);
  const host = snapshot.view.units.get(key);
  if (host?.kind !== "virtual-host")
    return refuse("control.unavailable", "The routes of this host cannot be loaded now: try again.", 1_000);
  return { kind: "gate", listener, host, caller: gatewayCaller(listener, directory.unit.trustDomain) };
}

function unknownHost(): Refusal {
  return refuse("host.unknown", "Check the name: no service or gateway of the mesh answers to it.");
}

/** A gateway that serves the host nowhere at the address answers all the same: it has no route. */
function findGateFor(
  directory: LinkedDirectory,
  view: RequestView,
  address: GatewayAddress | null,
): Gate | { readonly listener: null; readonly domain: null } | null {
  if (address === null) return findGate(directory, view);
  const gate = findGateAt(directory, view.host, address);
  if (gate !== null) return gate;
  const exists = directory.unit.listeners.some(({ gateway }) => gateway === address.gateway);
  return exists ? { listener: null, domain: null } : null;
}

/** Who stands before a gateway. */
export interface Visitor {
  readonly view: RequestView;
  /** What would go on: a client's word for what only the mesh may say is not among them. */
  readonly headers: Headers;
  readonly identity: Identity;
  readonly trail: Trail;
  readonly isFromOutside: boolean;
  /** When a call that is still open has shown its end user's token. Absent: it does so now. */
  readonly provedAt?: Millis;
}

/**
 * Decides by the policies of the gateway, for whoever really calls. `null`
 * admits, with the changes that the trail notes; failing to decide refuses.
 */
export function admitToGate(
  mesh: Mesh,
  { listener, host }: OpenGate,
  { view, headers, identity, trail, isFromOutside, provedAt }: Visitor,
): Refusal | null | Promise<Refusal | null> {
  const { authorization, users } = host.unit;
  const { method, path, query } = view;
  const { caller, isBearerOurs } = identity;
  const where = { isFromOutside, trustedHops: mesh.settings.trustedHops, headers: view.headers };
  const input = {
    caller,
    host: view.host,
    port: listener.port,
    method,
    path,
    query,
    headers,
    isBearerOurs,
    where,
    ...(provedAt === undefined ? undefined : { provedAt }),
  };
  return enter(mesh, { authorization, users }, input, trail);
}

/** A gateway is the workload of its own name, as Istio's ingress gateways are. */
export function gatewayCaller({ gateway }: Listener, trustDomain: string): Caller {
  const [namespace = "", name = ""] = gateway.split("/");
  return callerOf({ trustDomain, namespace, serviceAccount: name });
}

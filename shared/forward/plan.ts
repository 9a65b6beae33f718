/**
 * Which way a call goes: the rule that decides it, what the rule changes, and
 * the service that is to answer.
 *
 * @module
 */
import * as filter from "../engine/filter.ts";
import type { HeaderEdit, Rewrite } from "../engine/filter.ts";
import type { Endpoint } from "../engine/endpoint.ts";
import { parseHost } from "../engine/host.ts";
import * as redirect from "../engine/redirect.ts";
import type { RetryPolicy } from "../engine/retry.ts";
import * as route from "../engine/route.ts";
import { serviceKey, type ServiceUnit, type TrafficPolicy } from "../engine/snapshot.ts";
import * as split from "../engine/split.ts";
import type { Timeouts } from "../engine/timeout.ts";
import type { Call } from "./call.ts";
import { fixed, inject } from "./injected.ts";
import { refuse } from "./refusal.ts";
import type { Answer, Refusal } from "./refusal.ts";
import type { Mesh } from "./state.ts";
import { prepare } from "./sync.ts";
import type { LinkedHost, LinkedService } from "./view.ts";

/** A call, decided up to the choice of the endpoint. */
export interface Plan {
  readonly kind: "plan";
  readonly service: LinkedService;
  /** The destination service's port. */
  readonly port: number;
  /** What the backend sees as host and path. */
  readonly authority: string;
  readonly path: string;
  /** Those of the service, or of the subset that the route names, that may answer. */
  readonly endpoints: readonly Endpoint[];
  readonly traffic: TrafficPolicy;
  readonly timeouts: Timeouts;
  readonly retry: RetryPolicy;
  readonly responseEdits: readonly HeaderEdit[];
  /** Id of the only endpoint that may answer; `null` for any. */
  readonly pin: string | null;
}

/**
 * Plans a call to a service by the routes that it or the caller's namespace
 * attached to it. The first set that is for the port and the caller decides:
 * if none of its rules matches, there is no route (Gateway API), and only
 * without any set the service answers itself.
 */
export async function toService(call: Call, service: LinkedService, asked: number): Promise<Plan | Answer> {
  const port = portOf(service, asked);
  const namespace = call.caller?.namespace ?? null;
  const routes = service.routes.find(
    (routes) =>
      (routes.port === null || routes.port === port) &&
      (routes.consumerNamespace === null || routes.consumerNamespace === namespace),
  );
  call.trail.destination = service.id;
  if (routes === undefined) return direct(call, service, port);
  const match = route.match(routes.table, call.view, call.caller);
  if (match === null) return refuse("route.none", "No rule of the service's routes matches the request.");
  return follow(call, match, port);
}

/** Plans a call that came in by a gateway. Its backends are not routed again. */
export async function throughHost(call: Call, host: LinkedHost): Promise<Plan | Answer> {
  const match = route.match(host.table, call.view, call.caller);
  if (match === null) return refuse("route.none", "No route of this host matches the request.");
  return follow(call, match, null);
}

/** Plans a call to one endpoint, chosen by a host that routed it before and decides about retries itself. */
export function toEndpoint(call: Call, service: LinkedService, port: number, endpoint: string): Plan {
  call.trail.destination = service.id;
  const plan = direct(call, service, port);
  return { ...plan, pin: endpoint, retry: { ...plan.retry, retries: 0 } };
}

/** The port of the service that is meant: an edge listens on ports of its own, so an unknown one means the first. */
function portOf(service: LinkedService, asked: number): number {
  const { ports } = service.unit;
  return ports.some(({ port }) => port === asked) ? asked : (ports[0]?.port ?? asked);
}

function direct(call: Call, service: LinkedService, port: number, subset?: string): Plan {
  const { endpoints, traffic } = within(service.unit, subset);
  const { timeouts, retry } = traffic;
  const { authority, path } = call.view;
  return {
    kind: "plan",
    service,
    port,
    authority,
    path,
    endpoints,
    traffic,
    timeouts,
    retry,
    responseEdits: [],
    pin: null,
  };
}

/** A subset that nobody has named has no endpoints. */
function within(unit: ServiceUnit, subset: string | undefined): Pick<Plan, "endpoints" | "traffic"> {
  if (subset === undefined) return unit;
  const { endpoints = [], traffic = null } = unit.subsets[subset] ?? {};
  return {
    endpoints: unit.endpoints.filter(({ id }) => endpoints.includes(id)),
    traffic: traffic ?? unit.traffic,
  };
}

async function follow(call: Call, match: route.Match, port: number | null): Promise<Plan | Answer> {
  const { entry, action } = match;
  call.trail.route = action.route;
  const injected = await inject(call, match);
  if (injected !== null) return injected;
  if (action.respond !== undefined) return fixed(action.respond);
  if (action.filters.redirect !== undefined) return redirected(call, entry.path, action.filters.redirect);
  const backend = split.pick(action.backends, call.mesh.ports.random());
  if (backend === null) return refuse("backend.none", "The route has no backend with a weight above 0.");
  call.trail.destination = backend.service;
  if (backend.invalid !== undefined) return refuse(backend.invalid, "Check the route's backendRefs.");
  const service = await loadService(call.mesh, backend.service);
  if (service.kind === "refusal") return service;

  for (const { request } of [action.filters, backend.filters])
    if (request !== undefined) filter.edit(call.headers, request);
  const plan = direct(call, service, portOf(service, backend.port ?? port ?? call.view.port), backend.subset);
  return {
    ...plan,
    ...rewritten(call, entry.path, action.filters.rewrite),
    timeouts: action.timeouts ?? plan.timeouts,
    retry: action.retry ?? plan.retry,
    responseEdits: [action.filters.response, backend.filters.response].filter((edit) => edit !== undefined),
  };
}

function redirected(call: Call, matched: route.PathMatch, to: redirect.Redirect): Answer {
  const location = redirect.locate(to, call.view, matched);
  return {
    kind: "response",
    response: new Response(null, { status: to.statusCode, headers: { location } }),
  };
}

function rewritten(
  call: Call,
  matched: route.PathMatch,
  rewrite: Rewrite | undefined,
): Pick<Plan, "authority" | "path"> {
  const { authority, path } = call.view;
  return {
    authority: rewrite?.hostname ?? authority,
    path: rewrite?.path === undefined ? path : redirect.rewritePath(rewrite.path, path, matched),
  };
}

/** Finds a service, and loads it when this isolate has not seen it yet. */
export async function loadService(mesh: Mesh, id: string): Promise<LinkedService | Refusal> {
  const key = serviceKey(id);
  const { snapshot } = mesh.state;
  const known = snapshot.view.units.get(key);
  if (known?.kind === "service") return known;
  await prepare(mesh, [key]);
  const loaded = snapshot.view.units.get(key);
  if (loaded?.kind === "service") return loaded;
  return snapshot.view.missing.has(key)
    ? refuse("backend.missing", "The route's backend is not a service of the mesh.")
    : refuse("control.unavailable", "The mesh's configuration cannot be loaded now: try again.", 1_000);
}

/** Host of a plan as policies compare it. */
export function hostOf(call: Call, plan: Plan): string {
  if (plan.authority === call.view.authority) return call.view.host;
  const parsed = parseHost(plan.authority, call.view.scheme);
  return parsed.kind === "ok" ? parsed.host : plan.authority;
}

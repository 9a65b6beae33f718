/**
 * Which way a call goes: the rule that decides it, what the rule changes, and
 * the service that is to answer.
 *
 * @module
 */
import type { SessionPersistence } from "../engine/affinity.ts";
import type { LinkedFault } from "../engine/fault.ts";
import * as filter from "../engine/filter.ts";
import type { Rewrite } from "../engine/filter.ts";
import { parseHost } from "../engine/host.ts";
import { isSettled } from "../engine/path.ts";
import type { Mirror } from "../engine/mirror.ts";
import type { Priority } from "../engine/priority.ts";
import * as redirect from "../engine/redirect.ts";
import { scoped } from "../engine/retry.ts";
import type { RetryPolicy } from "../engine/retry.ts";
import * as route from "../engine/route.ts";
import { serviceKey } from "../engine/snapshot.ts";
import { withDeadline } from "../engine/timeout.ts";
import type { Timeouts } from "../engine/timeout.ts";
import { pickBackend } from "./backend.ts";
import type { Call } from "./call.ts";
import { answerItself, answerPreflight, answersItself, redirected } from "./direct-answer.ts";
import { dress, dressingOf, PLAIN } from "./dress.ts";
import type { Dressing } from "./dress.ts";
import { poolOf } from "./pool.ts";
import type { Pool } from "./pool.ts";
import { refuse } from "./refusal.ts";
import type { Answer, Refusal } from "./refusal.ts";
import type { Mesh } from "./state.ts";
import { prepare } from "./sync.ts";
import type { LinkedHost, LinkedService } from "./view.ts";

/** A call, decided up to the choice of the endpoint. */
export interface Plan {
  readonly kind: "plan";
  readonly service: LinkedService;
  /** Those of the service's endpoints that may answer: all, or those of a subset that the route names. */
  readonly pool: Pool;
  /** The destination service's port. */
  readonly port: number;
  /** What the backend sees as host and path. */
  readonly authority: string;
  readonly path: string;
  readonly timeouts: Timeouts;
  readonly retry: RetryPolicy;
  readonly dressing: Dressing;
  /** Of the route. */
  readonly faults: readonly LinkedFault[];
  readonly mirrors: readonly Mirror[];
  readonly session: SessionPersistence | null;
  readonly priority: Priority;
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
  if (routes === undefined) return straightTo(call, service, { port });
  const match = matched(call, routes.table);
  if (match === null) return refuse("route.none", "No rule of the service's routes matches the request.");
  return follow(call, match, port);
}

/** Plans a call that came in by a gateway. Its backends are not routed again. */
export async function throughHost(call: Call, host: LinkedHost): Promise<Plan | Answer> {
  const match = matched(call, host.table);
  if (match === null) return refuse("route.none", "No route of this host matches the request.");
  return follow(call, match, null);
}

/** Rules compare the fields that go on, so that a client cannot route by what only the mesh, or an issuer, may say. */
function matched({ view, caller, headers }: Call, table: route.RouteTable): route.Match | null {
  return route.match(table, view, caller, headers);
}

/**
 * Plans a call to one endpoint, chosen by a host that routed it before: it
 * decides about retries, and its route, not the service, about time.
 */
export function toEndpoint(call: Call, service: LinkedService, port: number, endpoint: string): Plan {
  call.trail.destination = service.id;
  const plan = straightTo(call, service, { port });
  return {
    ...plan,
    pin: endpoint,
    session: null,
    timeouts: limited(call, {}),
    retry: { ...plan.retry, retries: 0 },
  };
}

/** The port of a service that is meant: an edge listens on ports of its own, so an unknown one means the first. */
export function portOf(service: LinkedService, asked: number): number {
  const { ports } = service.unit;
  return ports.some(({ port }) => port === asked) ? asked : (ports[0]?.port ?? asked);
}

/** What of a service is meant: a backend or a mirror says so. */
export interface Target {
  /** `null` for the port that was called. */
  readonly port: number | null;
  readonly subset?: string;
}

/** A plan as the service's own policy has it. */
export function straightTo(call: Call, service: LinkedService, { port, subset }: Target): Plan {
  const pool = poolOf(service.pools, subset);
  const { authority, path } = call.view;
  return {
    kind: "plan",
    service,
    pool,
    port: portOf(service, port ?? call.view.port),
    authority,
    path,
    timeouts: limited(call, pool.policy.timeouts),
    retry: limitedRetry(call, pool.policy.retry),
    dressing: PLAIN,
    faults: NONE,
    mirrors: NONE,
    session: pool.policy.affinity,
    priority: call.told.priority ?? "default",
    pin: null,
  };
}

const NONE: readonly never[] = [];

/** No longer than earlier hosts have left for it. */
function limited({ told }: Call, timeouts: Timeouts): Timeouts {
  return told.deadline === null ? timeouts : withDeadline(timeouts, told.deadline);
}

function limitedRetry({ told }: Call, policy: RetryPolicy): RetryPolicy {
  return told.retry === null ? policy : scoped(policy, told.retry);
}

async function follow(call: Call, match: route.Match, asked: number | null): Promise<Plan | Answer> {
  const { action } = match;
  call.trail.route = action.route;
  const preflight = answerPreflight(call, action.filters.cors);
  if (preflight !== null) return preflight;
  if (answersItself(action)) return answerItself(call, match);
  const picking = pickBackend(call, action);
  const backend = picking instanceof Promise ? await picking : picking;
  if (backend === null) return refuse("backend.none", "The route has no backend with a weight above 0.");
  call.trail.destination = backend.service;
  if (backend.invalid !== undefined) return refuse(backend.invalid, "Check the route's backendRefs.");
  const early = answerPreflight(call, backend.filters.cors) ?? redirected(call, match, backend.filters);
  if (early !== null) return dress(call, dressingOf(action.filters, backend.filters), [], early);
  const service = await loadService(call.mesh, backend.service);
  if (service.kind === "refusal") return service;
  const plan = along(
    call,
    match,
    backend,
    straightTo(call, service, { ...backend, port: backend.port ?? asked }),
  );
  // Policies would decide about another path than the one that is sent.
  return plan.path === call.view.path || isSettled(plan.path)
    ? plan
    : refuse("path.noncanonical", "The route's rewrite makes a path with dot segments of this one.");
}

/** The plan that a rule makes of a backend's own. */
function along(call: Call, { entry, action, faults }: route.Match, backend: route.Backend, plan: Plan): Plan {
  for (const { request } of [action.filters, backend.filters])
    if (request !== undefined) filter.edit(call.headers, request);
  return {
    ...plan,
    ...rewritten(call, entry.path, rewriteOf(action.filters.rewrite, backend.filters.rewrite)),
    timeouts: action.timeouts === undefined ? plan.timeouts : limited(call, action.timeouts),
    retry: action.retry === undefined ? plan.retry : limitedRetry(call, action.retry),
    dressing: dressingOf(action.filters, backend.filters),
    faults,
    mirrors: both(action.filters.mirrors, backend.filters.mirrors),
    session: action.session ?? plan.session,
    priority: action.priority ?? plan.priority,
  };
}

/** What a backend says goes before what its rule says. */
export function rewriteOf(rule: Rewrite | undefined, backend: Rewrite | undefined): Rewrite | undefined {
  return rule === undefined || backend === undefined ? (backend ?? rule) : { ...rule, ...backend };
}

function both(one: readonly Mirror[] = NONE, other: readonly Mirror[] = NONE): readonly Mirror[] {
  return other.length === 0 ? one : [...one, ...other];
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

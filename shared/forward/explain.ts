/**
 * Explains what a host would do with a request: the same decisions as a call
 * makes, on the same units, without carrying anything. Credentials in the
 * request are not looked at: whoever asks says who calls.
 *
 * @module
 */
import { authorize } from "../engine/authorize.ts";
import type { Caller } from "../engine/authorize.ts";
import * as cors from "../engine/cors.ts";
import * as engine from "../engine/explain.ts";
import * as hash from "../engine/hash.ts";
import { matchHost, parseHost } from "../engine/host.ts";
import { isSettled } from "../engine/path.ts";
import * as redirect from "../engine/redirect.ts";
import type { RequestView } from "../engine/request.ts";
import * as route from "../engine/route.ts";
import { DIRECTORY, serviceKey, virtualHostKey } from "../engine/snapshot.ts";
import type { Listener, ServiceUnit } from "../engine/snapshot.ts";
import * as split from "../engine/split.ts";
import { callerOf, parseWorkload } from "../identity/spiffe.ts";
import type { ExplainRequest, Explanation } from "../wire/explain.ts";
import { PROBLEMS } from "../wire/problem.ts";
import type { ProblemCode } from "../wire/problem.ts";
import { findGate, findGateAt, levelAt, linkDirectory } from "./directory.ts";
import type { Gate } from "./directory.ts";
import * as door from "./door.ts";
import { explainBackends } from "./explain-backends.ts";
import { asRewritten, inputOf, load, type Inquiry, type Knowledge } from "./explain-inquiry.ts";
import { gatewayCaller } from "./gate.ts";
import type { GatewayAddress } from "./gateway-address.ts";
import { insideName, outsideName } from "./names.ts";

/** Rules and listeners told of. */
const MAX_TOLD = 200;

type Finding = Omit<Explanation, "version" | "caller" | "request">;

const NOTHING: Finding = {
  entrance: null,
  listeners: [],
  gatewayAuthorization: null,
  rules: [],
  omittedRules: 0,
  outcome: refusal("host.unknown", "No service or gateway of the mesh answers to this host."),
  sticky: null,
  priority: null,
  backends: [],
  faults: [],
  mirrors: [],
};

/** Explains one request. Rejects only when the units cannot be loaded. */
export async function explain(question: ExplainRequest, knowledge: Knowledge): Promise<Explanation> {
  const unit = await load(knowledge, DIRECTORY, "directory");
  if (unit === null) throw new Error("there is always a directory");
  const directory = linkDirectory(unit);
  const from = question.from === undefined ? null : parseWorkload(question.from);
  const caller = from === null ? null : callerOf({ trustDomain: unit.trustDomain, ...from });
  const service = question.gateway === undefined ? await serviceOf(question.url, caller, knowledge) : null;
  const headers = new Headers(question.headers.map(({ name, value }): [string, string] => [name, value]));
  const request = { method: question.method, url: withPath(question.url), headers };
  const entry = door.read(request, "worker", (view) =>
    service === null ? levelAt(directory, view, addressOf(question.gateway, view)) : "strict",
  );
  const head = {
    version: knowledge.version(),
    caller: caller === null ? null : `spiffe://${caller.principal}`,
  };
  if (entry.kind === "refusal") {
    const told = { method: question.method, host: door.authorityOf(question.url), port: 0, path: "" };
    const outcome = refusal(entry.problem.code, entry.problem.detail);
    return { ...head, request: told, ...NOTHING, outcome };
  }
  const { method, host, port, path } = entry.view;
  const inquiry = { knowledge, directory, view: entry.view, caller };
  const finding =
    service === null
      ? await throughGateway(inquiry, question.gateway)
      : await throughService(inquiry, service);
  return { ...head, request: { method, host, port, path }, ...finding };
}

/** A client that is given no path asks for `/` (RFC 9112 §3.2.1). */
function withPath(url: string): string {
  return url.replace(/^(https?:\/\/[^/?#]+)(?=[?#]|$)/, "$1/");
}

/** The service that the host means: inside the mesh by every name, from outside by its full one. */
async function serviceOf(
  url: string,
  caller: Caller | null,
  knowledge: Knowledge,
): Promise<ServiceUnit | null> {
  const { meshDomain } = knowledge;
  const parsed = parseHost(door.authorityOf(url), "http");
  if (parsed.kind === "reject") return null;
  const inside = caller === null ? null : insideName(parsed.host, caller.namespace, meshDomain);
  const unit = inside === null ? null : await load(knowledge, serviceKey(inside), "service");
  if (unit !== null) return unit;
  const outside = outsideName(parsed.host, meshDomain);
  return outside === null ? null : load(knowledge, serviceKey(outside), "service");
}

async function throughService(inquiry: Inquiry, service: ServiceUnit): Promise<Finding> {
  const { view, caller } = inquiry;
  const id = `${service.namespace}/${service.name}`;
  const port = service.ports.some((one) => one.port === view.port)
    ? view.port
    : (service.ports[0]?.port ?? view.port);
  const entrance = { kind: "service" as const, service: id, port };
  const routes = service.routes.find(
    (one) =>
      (one.port === null || one.port === port) &&
      (one.consumerNamespace === null || one.consumerNamespace === caller?.namespace),
  );
  if (routes !== undefined) return { ...(await throughRoutes(inquiry, routes.routes, port)), entrance };
  const itself = { service: id, port, weight: 1, filters: {} };
  return {
    ...NOTHING,
    entrance,
    outcome: { kind: "forward", host: view.authority, path: view.path },
    backends: await explainBackends(inquiry, [itself], { view, port }),
  };
}

async function throughGateway(inquiry: Inquiry, only: ExplainRequest["gateway"]): Promise<Finding> {
  const { directory, view, caller, knowledge } = inquiry;
  const address = addressOf(only, view);
  const gate = address === null ? findGate(directory, view) : findGateAt(directory, view.host, address);
  const listeners = directory.unit.listeners
    .map((listener) => ({
      listener: listener.id,
      port: listener.port,
      scheme: listener.scheme,
      hostname: listener.hostname,
      verdict: verdictOf(listener, gate, { view, address }),
    }))
    .toSorted((a, b) => Number(a.verdict === "host") - Number(b.verdict === "host"))
    .slice(0, MAX_TOLD);
  if (gate === null) {
    // At an address of its own, a gateway answers for hosts that it does not serve.
    const isOwn = directory.unit.listeners.some(({ gateway }) => gateway === address?.gateway);
    const detail = "The gateway has no listener for this host there.";
    return { ...NOTHING, listeners, ...(isOwn ? { outcome: refusal("route.none", detail) } : {}) };
  }
  const { listener, domain } = gate;
  const entrance = { kind: "listener" as const, listener: listener.id, domain };
  const none = { ...NOTHING, listeners, entrance };
  if (domain === null)
    return { ...none, outcome: refusal("route.none", "The listener has no route for this host.") };
  const host = await load(knowledge, virtualHostKey(listener.id, domain), "virtual-host");
  if (host === null) return { ...none, outcome: refusal("route.none", "The listener's routes are gone.") };
  const input = { ...inputOf(inquiry, view), port: listener.port };
  const decision = authorize(host.authorization, input);
  const gatewayAuthorization = { isAllowed: decision.kind === "allow", by: decision.by };
  const asGateway = { ...inquiry, caller: caller ?? gatewayCaller(listener, directory.unit.trustDomain) };
  const routed = await throughRoutes(asGateway, host.routes, null);
  const finding = { ...routed, listeners, entrance, gatewayAuthorization };
  if (decision.kind === "allow") return finding;
  const code = decision.by === null ? "authz.default_deny" : "authz.rule";
  return { ...finding, outcome: refusal(code, "The gateway's own policies deny the call.") };
}

/** The address that was called: the gateway's own, at the URL's port and scheme. */
function addressOf(only: ExplainRequest["gateway"], { port, scheme }: RequestView): GatewayAddress | null {
  return only === undefined ? null : { gateway: `${only.namespace}/${only.name}`, port, scheme };
}

function verdictOf(
  listener: Listener,
  gate: Gate | null,
  { view, address }: { view: RequestView; address: GatewayAddress | null },
): Explanation["listeners"][number]["verdict"] {
  if (listener === gate?.listener) return "decides";
  if (!matchHost(listener.hostname, view.host)) return "host";
  const isThere =
    address === null ||
    (listener.gateway === address.gateway &&
      listener.port === address.port &&
      listener.scheme === address.scheme);
  return isThere ? "other" : "address";
}

async function throughRoutes(
  inquiry: Inquiry,
  routes: route.RouteSet,
  port: number | null,
): Promise<Finding> {
  const { view, caller, knowledge } = inquiry;
  const table = route.index(routes, knowledge.compilePattern);
  const { candidates, omitted, match } = engine.explain(table, view, caller, MAX_TOLD);
  const told = { ...NOTHING, rules: candidates.map(ruleOf), omittedRules: omitted };
  if (match === null) return { ...told, outcome: refusal("route.none", "No rule matches the request.") };
  const { action } = match;
  const { rewrite } = action.filters;
  const mirrors = [action, ...action.backends].flatMap(({ filters }) => filters.mirrors ?? []);
  return {
    ...told,
    outcome: outcomeOf(view, match, asRewritten(view, match, rewrite)),
    sticky: stickyOf(inquiry, action),
    priority: action.priority ?? null,
    backends: await explainBackends(inquiry, action.backends, { view, port, match }),
    faults: (action.faults ?? []).map(({ policy }) => policy),
    mirrors: mirrors.map(({ service, share }) => ({ service, share })),
  };
}

function ruleOf({ match: { entry, action }, verdict }: engine.Candidate): Explanation["rules"][number] {
  const { path, method = null, headers, query, callers } = entry;
  return {
    route: action.route,
    rule: action.rule,
    path,
    method,
    headers,
    query,
    isForSomeCallers: callers !== undefined,
    verdict,
  };
}

/** Where a client's address decides, that is not known here. */
function stickyOf({ view, caller }: Inquiry, { sticky, backends }: route.RouteAction): Explanation["sticky"] {
  if (sticky === undefined) return null;
  const key = hash.keyOf(sticky, view, caller, null);
  const backend = key === null ? null : split.pickSticky(backends, key);
  const by = "name" in sticky ? `${sticky.kind} ${sticky.name}` : sticky.kind;
  if (backend === null) return { by, backend: null };
  const { service, subset } = backend;
  return { by, backend: subset === undefined ? service : `${service}/${subset}` };
}

function outcomeOf(
  view: RequestView,
  { entry, action }: route.Match,
  rewritten: RequestView,
): Explanation["outcome"] {
  const { redirect: to, cors: policy } = action.filters;
  if (policy !== undefined && cors.answer(policy, view) !== null) return { kind: "respond", status: 204 };
  if (to !== undefined)
    return { kind: "redirect", status: to.statusCode, location: redirect.locate(to, view, entry.path) };
  if (action.respond !== undefined) return { kind: "respond", status: action.respond.status };
  if (!action.backends.some(({ weight }) => weight > 0))
    return refusal("backend.none", "The route has no backend with a weight above 0.");
  if (rewritten.path !== view.path && !isSettled(rewritten.path))
    return refusal("path.noncanonical", "The rewrite makes a path with dot segments.");
  return { kind: "forward", host: rewritten.authority, path: rewritten.path };
}

function refusal(code: ProblemCode, detail: string): Explanation["outcome"] & { kind: "refuse" } {
  return { kind: "refuse", status: PROBLEMS[code].status, code, detail };
}

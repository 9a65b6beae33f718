/**
 * The part of an explanation about backends: their shares, their endpoints,
 * and the policies that protect them.
 *
 * @module
 */
import { authorize } from "../engine/authorize.ts";
import { isWell, type Findings } from "../engine/endpoint.ts";
import * as redirect from "../engine/redirect.ts";
import type { RequestView } from "../engine/request.ts";
import type { Backend, Match } from "../engine/route.ts";
import { serviceKey } from "../engine/snapshot.ts";
import type { InboundPolicy, ServiceUnit, TrafficPolicy } from "../engine/snapshot.ts";
import type { ExplainedBackend } from "../wire/explain.ts";
import { modeAt } from "./inbound.ts";
import { rewriteOf } from "./plan.ts";
import { asRewritten, inputOf, load, type Inquiry, type Knowledge } from "./explain-inquiry.ts";

/** How a rule reaches its backends. */
export interface Approach {
  /** The request as it came. */
  readonly view: RequestView;
  /** The port that was called; `null` from outside, where a backend names its own. */
  readonly port: number | null;
  /** Absent: no rule, the service itself was called. */
  readonly match?: Pick<Match, "entry" | "action">;
}

/** Explains each backend of a rule, in its order. */
export function explainBackends(
  inquiry: Inquiry,
  backends: readonly Backend[],
  approach: Approach,
): Promise<readonly ExplainedBackend[]> {
  const total = backends.reduce((sum, { weight }) => sum + Math.max(0, weight), 0);
  return Promise.all(
    backends.map((backend) => {
      const share = total === 0 ? 0 : Math.max(0, backend.weight) / total;
      return explainBackend(inquiry, { backend, share }, approach);
    }),
  );
}

async function explainBackend(
  inquiry: Inquiry,
  { backend, share }: { readonly backend: Backend; readonly share: number },
  approach: Approach,
): Promise<ExplainedBackend> {
  const { service, subset = null, weight, invalid } = backend;
  const named = { service, subset, weight, share, redirect: redirectOf(inquiry, backend, approach) };
  const unit = invalid === undefined ? await load(inquiry.knowledge, serviceKey(service), "service") : null;
  if (unit === null)
    return { ...named, ...UNREACHABLE, port: backend.port, invalid: invalid ?? "backend.missing" };
  const port = portOf(unit, backend.port ?? approach.port ?? inquiry.view.port);
  const seen = { ...approach, view: seenBy(backend, approach) };
  const place = { unit, port, subset };
  return {
    ...named,
    invalid: null,
    port,
    ...describe(inquiry, place, seen),
    ...(await explainFailover(inquiry, withinSubset(place).traffic)),
  };
}

async function explainFailover(
  { knowledge }: Inquiry,
  { failover }: TrafficPolicy,
): Promise<Pick<ExplainedBackend, "failover">> {
  if (failover === undefined) return {};
  const explained = failover.map(async ({ service, subset = null }) => {
    const unit = await load(knowledge, serviceKey(service), "service");
    const { endpoints } = unit === null ? { endpoints: [] } : withinSubset({ unit, subset });
    return {
      service,
      subset,
      endpoints: endpoints.length,
      usable: countUsable(knowledge, endpoints),
      isMissing: unit === null,
    };
  });
  return { failover: await Promise.all(explained) };
}

/** An explanation is no host: it knows what hosts are told. */
const NO_FINDINGS: Findings = { circuitOf: () => undefined, rejects: false };

function countUsable(knowledge: Knowledge, endpoints: ServiceUnit["endpoints"]): number {
  const now = knowledge.now();
  return endpoints.filter((endpoint) => isWell(endpoint, NO_FINDINGS, now)).length;
}

function seenBy({ filters }: Backend, { view, match }: Approach): RequestView {
  if (match === undefined) return view;
  return asRewritten(view, match, rewriteOf(match.action.filters.rewrite, filters.rewrite));
}

function redirectOf({ view }: Inquiry, { filters }: Backend, { match }: Approach): string | null {
  if (filters.redirect === undefined || match === undefined) return null;
  return redirect.locate(filters.redirect, view, match.entry.path);
}

const UNREACHABLE = {
  endpoints: 0,
  usable: 0,
  loadBalancing: "",
  timeoutMs: null,
  retries: 0,
  policies: [],
} as const;

function portOf({ ports }: ServiceUnit, asked: number): number {
  return ports.some(({ port }) => port === asked) ? asked : (ports[0]?.port ?? asked);
}

interface Place {
  readonly unit: ServiceUnit;
  readonly port: number;
  readonly subset: string | null;
}

type Description = Omit<
  ExplainedBackend,
  "service" | "port" | "subset" | "weight" | "share" | "invalid" | "redirect" | "failover"
>;

function describe(inquiry: Inquiry, place: Place, { view, match }: Approach): Description {
  const { endpoints, traffic } = withinSubset(place);
  const action = match?.action;
  const timeouts = action?.timeouts ?? traffic.timeouts;
  return {
    endpoints: endpoints.length,
    usable: countUsable(inquiry.knowledge, endpoints),
    loadBalancing: traffic.loadBalancing.kind,
    timeoutMs: timeouts.requestMs ?? null,
    retries: (action?.retry ?? traffic.retry).retries,
    policies: place.unit.inbound.flatMap((policy, index) => {
      const count = endpoints.filter(({ inbound }) => inbound === index).length;
      return count === 0 ? [] : [{ endpoints: count, ...explainPolicy(inquiry, policy, view, place.port) }];
    }),
  };
}

/** Only what a subset has of a service; all of it without one. */
function withinSubset({ unit, subset }: Omit<Place, "port">): {
  endpoints: ServiceUnit["endpoints"];
  traffic: TrafficPolicy;
} {
  if (subset === null) return unit;
  const some = unit.subsets[subset];
  const ids = new Set(some?.endpoints);
  return {
    endpoints: unit.endpoints.filter(({ id }) => ids.has(id)),
    traffic: some?.traffic ?? unit.traffic,
  };
}

function explainPolicy(
  inquiry: Inquiry,
  policy: InboundPolicy,
  view: RequestView,
  port: number,
): Omit<Description["policies"][number], "endpoints"> {
  const peer = modeAt(policy, port);
  const input = inputOf(inquiry, view);
  const caller = peer === "disabled" ? null : input.caller;
  const decision = authorize(policy.authorization, { ...input, caller, port });
  const isRefused = peer === "strict" && caller === null;
  return {
    peer,
    authorization: { isAllowed: decision.kind === "allow" && !isRefused, by: isRefused ? null : decision.by },
    limits: policy.limits.map((limit) => limit.policy),
    faults: (policy.faults ?? []).map((fault) => fault.policy),
  };
}

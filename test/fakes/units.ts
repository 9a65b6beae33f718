/** Units as the compiler would make them, with what a test cares about changed. */
import type { Authorization } from "../../shared/engine/authorize.ts";
import type { Backend, RouteAction, RouteEntry, RouteSet } from "../../shared/engine/route.ts";
import type {
  DirectoryUnit,
  InboundPolicy,
  Listener,
  ServiceUnit,
  TrafficPolicy,
  VirtualHostUnit,
  WorkloadUnit,
} from "../../shared/engine/snapshot.ts";
import { endpoint } from "../engine/endpoints.ts";

export const TRUST_DOMAIN = "mesh.test";

export const OPEN: Authorization = { deny: [], allow: null };

export const PERMISSIVE: InboundPolicy = { peer: "permissive", authorization: OPEN, limits: [] };

export const TRAFFIC: TrafficPolicy = {
  loadBalancing: { kind: "round-robin" },
  timeouts: {},
  retry: {
    retries: 2,
    on: ["connect-failure", "reset", "gateway-error"],
    statusCodes: [],
    headers: [],
    backoff: { baseMs: 25, maxMs: 250 },
    anyMethod: false,
    budget: { ratio: 0.2, minPerSecond: 10, windowMs: 10_000 },
  },
  circuit: { failuresToOpen: 5, openForMs: 30_000, rejects: true },
  panicRatio: 0.5,
  hedge: null,
  affinity: null,
};

export function directory(changes: Partial<DirectoryUnit> = {}): DirectoryUnit {
  return { kind: "directory", trustDomain: TRUST_DOMAIN, keys: [], listeners: [], ...changes };
}

export function listener(gateway: string, changes: Partial<Listener> = {}): Listener {
  const id = `shop/${gateway}/http`;
  return {
    id,
    gateway: `shop/${gateway}`,
    port: 80,
    scheme: "http",
    hostname: "*",
    domains: ["*"],
    ...changes,
  };
}

/** The service `shop/<name>` with one endpoint `a`, which anybody may call. */
export function service(name: string, changes: Partial<ServiceUnit> = {}): ServiceUnit {
  return {
    kind: "service",
    namespace: "shop",
    name,
    ports: [{ name: "http", port: 80 }],
    endpoints: [endpoint("a")],
    inbound: [PERMISSIVE],
    routes: [],
    traffic: TRAFFIC,
    subsets: {},
    ...changes,
  };
}

export function virtualHost(routes: RouteSet, authorization = OPEN): VirtualHostUnit {
  return { kind: "virtual-host", routes, authorization };
}

export function workload(inbound: InboundPolicy): WorkloadUnit {
  return { kind: "workload", workload: "shop/reviews", inbound };
}

export function backend(name: string, changes: Partial<Backend> = {}): Backend {
  return { service: `shop/${name}`, port: 80, weight: 1, filters: {}, ...changes };
}

/** One rule for every path below `prefix`. */
export function routeSet(action: Partial<RouteAction>, prefix = "/"): RouteSet {
  const entry: RouteEntry = { path: { kind: "prefix", value: prefix }, headers: [], query: [], action: 0 };
  return {
    entries: [entry],
    actions: [{ route: "shop/route", rule: "0", filters: {}, backends: [], ...action }],
  };
}

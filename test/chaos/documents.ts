/**
 * Configuration of chaos runs: the service `web`, all in the namespace `chaos`.
 *
 * @module
 */
import type { Upstreams } from "./upstreams.ts";

export type Document = Readonly<Record<string, unknown>>;

export const NAMESPACE = "chaos";

/** The service `web` with one endpoint per upstream, and how it is reached. */
export function web(upstreams: Pick<Upstreams, "names" | "urlOf">, traffic: Document = {}): Document[] {
  return [
    service("web"),
    ...upstreams.names.map((name) => endpoint("web", name, upstreams.urlOf(name))),
    {
      apiVersion: "selvedge.dev/v1",
      kind: "TrafficPolicy",
      metadata: { name: "web", namespace: NAMESPACE },
      spec: { targetRefs: [{ kind: "Service", name: "web" }], ...traffic },
    },
  ];
}

/** A service of the endpoints that are labelled with its name. */
export function service(name: string, namespace = NAMESPACE): Document {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { selector: { app: name }, ports: [{ port: 80 }] },
  };
}

/** An endpoint of a service. */
export function endpoint(app: string, name: string, address: string): Document {
  return {
    apiVersion: "selvedge.dev/v1",
    kind: "Endpoint",
    metadata: { name, namespace: NAMESPACE, labels: { app } },
    spec: { address },
  };
}

/** The Worker that the harness joins, as the mesh knows it: the service `caller` at an address. */
export function joinedWorker(address: string): Document[] {
  const spec = { address, serviceAccount: "caller", joined: true };
  return [service("caller"), { ...endpoint("caller", "caller", address), spec }];
}

/** Whom the endpoints of a service let in or keep out. */
export function access(app: string, action: "ALLOW" | "DENY", source: Document): Document {
  return {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: `${app}-${action.toLowerCase()}`, namespace: NAMESPACE },
    spec: { selector: { matchLabels: { app } }, action, rules: [{ from: [{ source }] }] },
  };
}

/** Marks every answer, so that it tells by which configuration the call was carried. */
export function generation(n: number, name = "web"): Document {
  return route(name, { filters: [mark(n)], backendRefs: [{ name, port: 80 }] });
}

/** The same, but the mesh answers itself: nothing but the change is measured. */
export function ownAnswer(n: number, name = "web"): Document {
  return route(name, { filters: [mark(n)], respond: { status: 200 } });
}

function mark(n: number): Document {
  const set = [{ name: "x-generation", value: String(n) }];
  return { type: "ResponseHeaderModifier", responseHeaderModifier: { set } };
}

function route(name: string, rule: Document): Document {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name, namespace: NAMESPACE },
    spec: { parentRefs: [{ group: "", kind: "Service", name }], rules: [rule] },
  };
}

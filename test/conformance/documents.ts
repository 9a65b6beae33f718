/** Configuration documents in few words, all in the namespace `conformance`. */

export interface Document {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec: unknown;
}

function document(type: string, name: string, spec: unknown, labels = {}): Document {
  const [apiVersion = "", kind = ""] = type.split(" ");
  return { apiVersion, kind, metadata: { name, labels }, spec };
}

/** A service on port 80 of all endpoints labelled with its name. */
export function service(name: string): Document {
  return document("v1 Service", name, { selector: { app: name }, ports: [{ port: 80 }] });
}

export function endpoint(name: string, app: string, spec: object): Document {
  return document("selvedge.dev/v1 Endpoint", name, spec, { app });
}

/** A service with one endpoint for each address. */
export function served(name: string, ...addresses: readonly string[]): readonly Document[] {
  const endpoints = addresses.map((address, index) => endpoint(`${name}-${index}`, name, { address }));
  return [service(name), ...endpoints];
}

/** Routes of calls to a service. */
export function routes(parent: string, ...rules: readonly object[]): Document {
  const parentRefs = [{ kind: "Service", group: "", name: parent }];
  return document("gateway.networking.k8s.io/v1 HTTPRoute", parent, { parentRefs, rules });
}

export function gateway(name: string, hostname: string): Document {
  const listeners = [{ name: "http", port: 80, protocol: "HTTP", hostname }];
  return document("gateway.networking.k8s.io/v1 Gateway", name, { gatewayClassName: "selvedge", listeners });
}

/** Routes of a gateway. */
export function gatewayRoutes(parent: string, ...rules: readonly object[]): Document {
  const spec = { parentRefs: [{ name: parent }], rules };
  return document("gateway.networking.k8s.io/v1 HTTPRoute", `${parent}-routes`, spec);
}

export function policy(app: string, spec: object): Document {
  const selector = { matchLabels: { app } };
  return document("security.istio.io/v1 AuthorizationPolicy", app, { selector, ...spec });
}

/** Lets callers without an identity in. */
export function permissive(app: string): Document {
  const spec = { selector: { matchLabels: { app } }, mtls: { mode: "PERMISSIVE" } };
  return document("security.istio.io/v1 PeerAuthentication", app, spec);
}

export function traffic(name: string, spec: object): Document {
  const targetRefs = [{ group: "", kind: "Service", name }];
  return document("selvedge.dev/v1 TrafficPolicy", name, { targetRefs, ...spec });
}

/** Limits of which admitted callers are told, too. */
export function toldLimits(name: string, ...limits: readonly object[]): Document {
  const targetRefs = [{ group: "", kind: "Service", name }];
  return document("selvedge.dev/v1 RateLimitPolicy", name, { targetRefs, limits, headers: true });
}

export function limits(name: string, ...limits: readonly object[]): Document {
  const targetRefs = [{ group: "", kind: "Service", name }];
  return document("selvedge.dev/v1 RateLimitPolicy", name, { targetRefs, limits });
}

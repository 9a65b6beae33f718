/** From a scenario of Istio's to documents that the mesh knows. */
import { kindsOf } from "../../../shared/wire/resources/kinds.ts";

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: unknown;
}

export interface Scenario {
  readonly id: string;
  readonly target: {
    readonly service: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly ports: Readonly<Record<string, { readonly servicePort: number; readonly workloadPort: number }>>;
  };
  readonly clients?: Readonly<Record<string, { readonly ip: string }>>;
  readonly objects: readonly KubeObject[];
}

/** A Gateway whose listeners have Istio's level of paths, in a namespace without policies of its own. */
export const WAY_IN = "way-in/way-in";

/** Istio's name for the namespace whose policies are the mesh's. */
const ROOT = "istio-system";

/** Where a scenario's helpers are on this machine. */
export interface Places {
  /** Of the issuer of keys: an origin. */
  readonly issuer: string;
  /** Of the external authorizer: an origin. */
  readonly authorizer: string;
}

/**
 * The scenario's objects as they are, but for what has another name here: the
 * root namespace, the place of the keys, and the ports of the target's
 * Service, which are those of its workload, since policies name these.
 */
export function documentsOf(scenario: Scenario, { issuer, authorizer }: Places): unknown[] {
  const { objects, target } = scenario;
  const text = JSON.stringify(
    objects
      .filter((object) => isKnown(object) && !isTarget(object, target))
      .map((object) => routed(object, target)),
  )
    .replaceAll(`"${ROOT}"`, '"selvedge-system"')
    .replace(/"jwksUri":"([^"]*)"/g, (_, uri: string) => `"jwksUri":"${issuer}/${keysAt(uri)}"`);
  const own: unknown[] = JSON.parse(text);
  return [
    ...own,
    ...workloadOf(target),
    ...wayIn(scenario),
    ...permissive(objects),
    ...providersOf(objects, authorizer),
  ];
}

/** The workload stands for itself. */
function isTarget({ kind, metadata }: KubeObject, { service, namespace }: Scenario["target"]): boolean {
  const isHere = metadata.name === service && metadata.namespace === namespace;
  return isHere && (kind === "Service" || kind === "Endpoint");
}

/** Routes of the scenario name ports of its Service. */
function routed(object: KubeObject, { ports }: Scenario["target"]): KubeObject {
  if (object.kind !== "VirtualService" && object.kind !== "HTTPRoute") return object;
  const byServicePort = new Map(
    Object.values(ports).map(({ servicePort, workloadPort }) => [servicePort, workloadPort]),
  );
  const text = JSON.stringify(object, (key, value: unknown) =>
    key === "destination" || key === "backendRefs" ? withPorts(value, byServicePort) : value,
  );
  return JSON.parse(text);
}

function withPorts(value: unknown, ports: ReadonlyMap<number, number>): unknown {
  const text = JSON.stringify(value).replace(
    /"(port|number)":(\d+)/g,
    (_, name: string, port: string) => `"${name}":${ports.get(Number(port)) ?? port}`,
  );
  return JSON.parse(text);
}

/** Istio's providers are part of no scenario: each name stands for its sample authorizer. */
function providersOf(objects: readonly KubeObject[], address: string): unknown[] {
  const named = [...JSON.stringify(objects).matchAll(/"provider":\{"name":"([^"]+)"/g)];
  return [...new Set(named.map(([, name]) => name))].map((name) => ({
    apiVersion: "selvedge.dev/v1",
    kind: "AuthorizationProvider",
    metadata: { name, namespace: "selvedge-system" },
    spec: {
      address,
      timeout: "5s",
      includeRequestHeadersInCheck: ["x-ext-authz"],
      includeAdditionalHeadersInCheck: {
        "x-ext-authz-additional-header-new": "additional-header-new-value",
        "x-ext-authz-additional-header-override": "additional-header-override-value",
      },
      headersToUpstreamOnAllow: ["x-ext-authz-*"],
      headersToDownstreamOnDeny: ["x-ext-authz-*"],
    },
  }));
}

/** The keys' file: Istio's notes follow the URI in brackets. */
function keysAt(uri: string): string {
  return uri.split(" ")[0]?.split("/").at(-1) ?? "";
}

function isKnown({ apiVersion, kind }: KubeObject): boolean {
  const name = kind === "Gateway" && apiVersion.startsWith("networking.istio.io/") ? "IstioGateway" : kind;
  // How clients speak TLS is not configured here: each scenario says of a request what came of it.
  if (kind === "DestinationRule") return false;
  return kindsOf().some((info) => info.kind === name && info.accepts.includes(apiVersion));
}

function workloadOf({ service, namespace, labels, ports }: Scenario["target"]): unknown[] {
  const listed = Object.entries(ports).map(([name, { workloadPort }]) => ({ name, port: workloadPort }));
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: service, namespace },
      spec: { selector: { app: labels["app"] ?? service }, ports: listed },
    },
    {
      apiVersion: "selvedge.dev/v1",
      kind: "Endpoint",
      metadata: { name: service, namespace, labels },
      spec: { address: "binding:WORKLOAD", serviceAccount: service },
    },
  ];
}

/** Istio's mesh is permissive where nothing else is said. */
function permissive(objects: readonly KubeObject[]): unknown[] {
  const isSaid = objects.some(
    ({ kind, metadata }) => kind === "PeerAuthentication" && metadata.namespace === ROOT,
  );
  const spec = { mtls: { mode: "PERMISSIVE" } };
  const metadata = { name: "as-in-istio", namespace: "selvedge-system" };
  return isSaid ? [] : [{ apiVersion: "security.istio.io/v1", kind: "PeerAuthentication", metadata, spec }];
}

function wayIn({ target }: Scenario): unknown[] {
  const [namespace = "", name = ""] = WAY_IN.split("/");
  const ports = Object.entries(target.ports).map(([port, { workloadPort }]) => ({
    name: port,
    port: workloadPort,
    protocol: "HTTP",
    allowedRoutes: { namespaces: { from: "All" } },
  }));
  const metadata = { name, namespace };
  const routes = Object.entries(target.ports).map(([sectionName, { workloadPort }]) => ({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: `way-in-${sectionName}`, namespace: target.namespace },
    spec: {
      parentRefs: [{ name, namespace, sectionName }],
      rules: [{ backendRefs: [{ name: target.service, namespace: target.namespace, port: workloadPort }] }],
    },
  }));
  return [
    {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "Gateway",
      metadata,
      spec: { gatewayClassName: "selvedge", listeners: ports },
    },
    ...routes,
    {
      apiVersion: "selvedge.dev/v1",
      kind: "TrafficPolicy",
      metadata,
      spec: {
        targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name }],
        pathNormalization: "Base",
      },
    },
  ];
}

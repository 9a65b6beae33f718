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

/**
 * The scenario's objects as they are, but for two names: the root namespace
 * is this mesh's, and the place of the keys is on this machine. Policies name
 * the workload's ports, which are those of its Service here.
 */
export function documentsOf(scenario: Scenario, issuer: string): unknown[] {
  const { objects, target } = scenario;
  const known = objects.filter(isKnown);
  const text = JSON.stringify(known)
    .replaceAll(`"${ROOT}"`, '"selvedge-system"')
    .replace(/"jwksUri":"([^"]*)"/g, (_, uri: string) => `"jwksUri":"${issuer}/${keysAt(uri)}"`);
  const own: unknown[] = JSON.parse(text);
  return [...own, ...workloadOf(target), ...wayIn(scenario), ...permissive(objects)];
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
  const listed = Object.entries(ports).flatMap(([name, { workloadPort }]) => [{ name, port: workloadPort }]);
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: service, namespace },
      // Routes of Istio's name the service's port 80.
      spec: { selector: { app: labels["app"] ?? service }, ports: [...listed, { name: "plain", port: 80 }] },
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
  const route = {
    parentRefs: Object.keys(target.ports).map((sectionName) => ({ name, namespace, sectionName })),
    rules: [{ backendRefs: [{ name: target.service, namespace: target.namespace, port: 80 }] }],
  };
  return [
    {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "Gateway",
      metadata,
      spec: { gatewayClassName: "selvedge", listeners: ports },
    },
    {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "way-in", namespace: target.namespace },
      spec: route,
    },
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

/** The Gateway that the scenario's calls from outside come in by, `namespace/name`. */
export function doorOf({ objects }: Scenario): string {
  const gateway = objects.find(({ kind }) => kind === "Gateway");
  const { name = "", namespace = "default" } = gateway?.metadata ?? {};
  const isIstios = gateway?.apiVersion.startsWith("networking.istio.io/") === true;
  return `${namespace}/${isIstios ? `istiogateway.${name}` : name}`;
}

/**
 * Istio's Gateway into Gateway API's.
 *
 * @module
 */
import type { IstioGatewaySpec } from "../../wire/resources/istio-gateway.ts";
import { conclude, documentOf, openReport, present, type Foreign, type Translation } from "../translation.ts";

type Server = IstioGatewaySpec["servers"][number];

/** The name of the Gateway that one of Istio's becomes. */
export function derivedGateway(name: string): string {
  return `istiogateway.${name}`;
}

/** Translates a Gateway. Each host of a server becomes a listener. */
export function translateGateway(document: Foreign<IstioGatewaySpec>): Translation {
  const report = openReport(document);
  if (Object.keys(document.spec.selector).length > 0) {
    report.note(
      "spec.selector",
      "tells policies which workload this is; the mesh's edge serves every Gateway",
    );
  }
  const listeners = document.spec.servers.flatMap((server, index) => {
    const path = `spec.servers[${index}]`;
    const isSecure = server.port.protocol === "HTTPS";
    if (isSecure && server.tls === undefined)
      report.problem(`${path}.tls`, "is required with protocol HTTPS");
    if (!isSecure && server.tls !== undefined) report.problem(`${path}.tls`, "goes with protocol HTTPS only");
    if (isSecure) report.note(`${path}.tls`, "the platform ends TLS and owns the certificates");
    if (server.bind !== undefined)
      report.note(`${path}.bind`, "has no effect: the edge has no address of its own");
    return server.hosts.map((host, at) => listenerOf(server, host, `${index}-${at}`));
  });
  const infrastructure = { labels: labelsOf(document.spec.selector) };
  const spec = { gatewayClassName: "selvedge", listeners, infrastructure };
  const name = derivedGateway(document.metadata.name);
  return conclude(report, [
    documentOf(document, { kind: "Gateway", name, spec }),
    ...mutualPorts(document.spec).map((ports) =>
      documentOf(document, { kind: "AuthorizationPolicy", name, spec: onlyProved(name, ports) }),
    ),
  ]);
}

/** The ports where callers show a certificate of the mesh, as one list; none without any. */
function mutualPorts({ servers }: IstioGatewaySpec): (readonly string[])[] {
  const ports = servers
    .filter(({ tls }) => tls?.mode === "ISTIO_MUTUAL")
    .map(({ port }) => String(port.number));
  return ports.length === 0 ? [] : [[...new Set(ports)]];
}

/** A caller without a proven identity would get no connection there: it gets no further than here. */
function onlyProved(name: string, ports: readonly string[]): object {
  return {
    targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name }],
    action: "DENY",
    rules: [{ from: [{ source: { notPrincipals: ["*"] } }], to: [{ operation: { ports } }] }],
  };
}

/**
 * The labels of the workload that a selector means. Of Istio's own gateways
 * either of two labels names the same workload, and policies use both.
 */
function labelsOf(selector: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const own = OWN_GATEWAYS.find((labels) =>
    Object.entries(labels).some(([name, value]) => selector[name] === value),
  );
  return { ...own, ...selector };
}

/** As Istio's charts label them. */
const OWN_GATEWAYS: readonly Readonly<Record<string, string>>[] = ["ingressgateway", "egressgateway"].map(
  (name) => ({
    istio: name,
    app: `istio-${name}`,
  }),
);

function listenerOf({ port }: Server, host: string, place: string): object {
  const [hostname = "*", namespace = "*"] = host.split("/").toReversed();
  const protocol = port.protocol === "HTTPS" ? "HTTPS" : "HTTP";
  return present({
    name: `${protocol.toLowerCase()}-${place}`,
    hostname: hostname === "*" ? undefined : hostname,
    port: port.number,
    protocol,
    tls: protocol === "HTTPS" ? { mode: "Terminate" } : undefined,
    allowedRoutes: { namespaces: admission(namespace) },
  });
}

/** Before a host's slash: the namespaces whose VirtualServices may bind; every one unless it says otherwise. */
function admission(namespace: string): object {
  if (namespace === "*") return { from: "All" };
  if (namespace === ".") return { from: "Same" };
  return { from: "Selector", selector: { matchLabels: { "kubernetes.io/metadata.name": namespace } } };
}

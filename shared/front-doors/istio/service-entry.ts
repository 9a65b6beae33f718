/**
 * ServiceEntry and WorkloadEntry into Services and Endpoints.
 *
 * @module
 */
import type { ServiceEntrySpec, WorkloadEntrySpec } from "../../wire/resources/service-entry.ts";
import {
  conclude,
  derivedName,
  documentOf,
  openReport,
  present,
  type Foreign,
  type OwnDocument,
  type Report,
  type Translation,
} from "../translation.ts";
import { entryService } from "./host.ts";

type ServiceEntry = Foreign<ServiceEntrySpec>;

/** Translates a ServiceEntry: a Service for each host, an Endpoint for each place that answers for them. */
export function translateServiceEntry(document: ServiceEntry): Translation {
  const { metadata, spec } = document;
  const report = openReport(document);
  for (const host of spec.hosts.filter((name) => name.includes("."))) {
    const name = `${entryService(host)}.${metadata.namespace}`;
    report.note(
      "spec.hosts",
      `inside the mesh ${host} is called ${name}: names with dots are the mesh's own`,
    );
  }
  if (spec.addresses.length > 0) report.note("spec.addresses", "have no effect: services are found by name");
  if (spec.subjectAltNames.length > 0) {
    report.note("spec.subjectAltNames", "have no effect: the host of the address is what is verified");
  }
  if (spec.exportTo.length > 0 && !spec.exportTo.includes("*")) {
    report.note(
      "spec.exportTo",
      "has no effect: names are visible everywhere; an AuthorizationPolicy restricts calls",
    );
  }
  return conclude(report, [...servicesOf(document), ...endpointsOf(document, report)]);
}

function servicesOf(document: ServiceEntry): OwnDocument[] {
  const { hosts, ports, workloadSelector } = document.spec;
  return hosts.map((host) =>
    documentOf(document, {
      kind: "Service",
      name: entryService(host),
      spec: present({
        selector: workloadSelector?.labels,
        ports: ports.map(({ number, name }) => ({ name: name.toLowerCase(), port: number })),
      }),
    }),
  );
}

/** Where DNS finds the addresses and none is listed, the hosts are the addresses. */
function endpointsOf(document: ServiceEntry, report: Report): OwnDocument[] {
  const { hosts, endpoints, resolution, workloadSelector } = document.spec;
  if (workloadSelector !== undefined) return [];
  const services = hosts.map(entryService);
  const isOwnAddress = endpoints.length === 0 && resolution !== "STATIC";
  const places = isOwnAddress
    ? hosts.map((host) => ({ entry: { address: host, ports: {}, labels: {} }, serves: [entryService(host)] }))
    : endpoints.map((entry) => ({ entry, serves: services }));
  return places.map(({ entry, serves }, index) =>
    documentOf(document, {
      kind: "Endpoint",
      name: derivedName(document, String(index)),
      labels: entry.labels,
      spec: {
        ...endpointSpec(entry, urlOf(document.spec, entry), report),
        services: serves,
        ...(document.spec.location === "MESH_EXTERNAL" ? { external: true } : {}),
      },
    }),
  );
}

function urlOf({ ports }: ServiceEntrySpec, entry: WorkloadEntrySpec): string {
  const [port] = ports;
  if (port === undefined) return "";
  const scheme = port.protocol === "HTTPS" || port.protocol === "TLS" ? "https" : "http";
  return `${scheme}://${bracketed(entry.address)}:${entry.ports[port.name] ?? port.targetPort ?? port.number}`;
}

/** An IPv6 address stands in brackets in a URL. */
function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

function endpointSpec(entry: WorkloadEntrySpec, address: string, report: Report): object {
  if (entry.network !== undefined) {
    report.note("spec.network", "has no effect: every endpoint is reached by its address");
  }
  return present({
    address,
    weight: entry.weight === undefined || entry.weight === 0 ? undefined : entry.weight,
    serviceAccount: entry.serviceAccount,
    locality: placeOf(entry, report),
  });
}

/** Region and zone; labels say it where the field does not (`istio-locality`, with dots). */
function placeOf({ locality, labels }: WorkloadEntrySpec, report: Report): string | undefined {
  const told = locality || labels["istio-locality"]?.replaceAll(".", "/") || "";
  const [region = "", zone, subzone] = told.split("/");
  if (subzone !== undefined)
    report.note("spec.locality", "the sub-zone has no effect: places are zones here");
  if (region === "") return undefined;
  return zone === undefined ? region : `${region}/${zone}`;
}

/** Translates a WorkloadEntry: an Endpoint that Services select by its labels. */
export function translateWorkloadEntry(document: Foreign<WorkloadEntrySpec>): Translation {
  const report = openReport(document);
  const { address, ports, labels } = document.spec;
  const [port, ...others] = Object.entries(ports);
  if (port === undefined || others.length > 0) {
    report.problem("spec.ports", "name exactly one port: an endpoint has one address");
  }
  const [name = "", number = 0] = port ?? [];
  const scheme = /^(https|tls)/.test(name) ? "https" : "http";
  const endpoint = documentOf(document, {
    kind: "Endpoint",
    name: derivedName(document),
    labels,
    spec: endpointSpec(document.spec, `${scheme}://${bracketed(address)}:${number}`, report),
  });
  return conclude(report, [endpoint]);
}

/**
 * The columns of `get`, by kind.
 *
 * @module
 */
import { ageText } from "./duration.ts";
import type { Resource } from "./output.ts";

export interface Column {
  readonly title: string;
  readonly cell: (resource: Resource) => string;
}

/** The columns between name and age, then age; `wide` adds labels and generation. */
export function columnsOf(kind: string, isWide: boolean): readonly Column[] {
  return [...(OF_KIND[kind] ?? []), AGE, ...(isWide ? WIDE : [])];
}

const AGE: Column = {
  title: "AGE",
  cell: ({ metadata }) => {
    const created = Date.parse(metadata.creationTimestamp);
    return Number.isNaN(created) ? "" : ageText(Date.now() - created);
  },
};

const WIDE: readonly Column[] = [
  { title: "GENERATION", cell: ({ metadata }) => String(metadata.generation) },
  { title: "LABELS", cell: ({ metadata }) => pairs(metadata.labels) },
];

const TARGETS: Column = { title: "TARGETS", cell: ({ spec }) => join(at(spec, "targetRefs", "*", "name")) };

const OF_KIND: Readonly<Record<string, readonly Column[]>> = {
  Service: [
    { title: "PORTS", cell: ({ spec }) => join(at(spec, "ports", "*", "port")) },
    { title: "SELECTOR", cell: ({ spec }) => pairs(at(spec, "selector")[0]) },
  ],
  Endpoint: [
    { title: "ADDRESS", cell: ({ spec }) => join(at(spec, "address")) },
    { title: "VERSION", cell: ({ metadata }) => metadata.labels["version"] ?? "" },
    { title: "WEIGHT", cell: ({ spec }) => join(at(spec, "weight")) },
  ],
  Gateway: [
    { title: "CLASS", cell: ({ spec }) => join(at(spec, "gatewayClassName")) },
    { title: "PORTS", cell: ({ spec }) => join(at(spec, "listeners", "*", "port")) },
  ],
  HTTPRoute: [
    { title: "HOSTNAMES", cell: ({ spec }) => join(at(spec, "hostnames", "*")) },
    { title: "PARENTS", cell: ({ spec }) => join(at(spec, "parentRefs", "*", "name")) },
  ],
  AuthorizationPolicy: [
    { title: "ACTION", cell: ({ spec }) => join(at(spec, "action")) || "ALLOW" },
    TARGETS,
  ],
  AuthorizationProvider: [{ title: "ADDRESS", cell: ({ spec }) => join(at(spec, "address")) }],
  RequestAuthentication: [
    { title: "ISSUERS", cell: ({ spec }) => join(at(spec, "jwtRules", "*", "issuer")) },
    TARGETS,
  ],
  PeerAuthentication: [{ title: "MODE", cell: ({ spec }) => join(at(spec, "mtls", "mode")) }],
  TrafficPolicy: [TARGETS],
  RateLimitPolicy: [TARGETS],
  FaultPolicy: [TARGETS],
};

/** Every value at a path; `*` goes into all items of an array. A path that is not there has none. */
export function at(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const [step, ...rest] = path;
  if (step === undefined) return value === undefined || value === null ? [] : [value];
  if (step === "*") return Array.isArray(value) ? value.flatMap((item) => at(item, ...rest)) : [];
  return at(isRecord(value) ? value[step] : undefined, ...rest);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function join(values: readonly unknown[]): string {
  return [...new Set(values.map(String))].join(",");
}

function pairs(value: unknown): string {
  if (!isRecord(value)) return "";
  return Object.entries(value)
    .map(([name, text]) => `${name}=${String(text)}`)
    .join(",");
}

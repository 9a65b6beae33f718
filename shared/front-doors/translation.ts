/**
 * What a front door makes of a document: documents of the mesh's own kinds
 * and a report.
 *
 * @module
 */
import type { FieldProblem } from "../wire/problem.ts";

/** Names the document that a translated one came from: `VirtualService shop/reviews`. */
export const TRANSLATED_FROM = "selvedge.dev/translated-from";

export type Translation =
  /** `notes` tell what has no equivalent and changes nothing that a caller could rely on. */
  | { readonly documents: readonly OwnDocument[]; readonly notes: readonly FieldProblem[] }
  /** What would mean something else here. */
  | { readonly problems: readonly FieldProblem[] };

/** A document of one of the mesh's own kinds, as a person could have written it. */
export interface OwnDocument {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: object;
}

/** A document that is translated, once it has been parsed. */
export interface Foreign<Spec = unknown> {
  readonly kind: string;
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: Spec;
}

/** Collects a translation's report; paths begin with the document's name. */
export interface Report {
  readonly notes: FieldProblem[];
  readonly problems: FieldProblem[];
  note(path: string, message: string): void;
  problem(path: string, message: string): void;
}

/** The report of one document, still empty. */
export function openReport(document: Foreign): Report {
  const notes: FieldProblem[] = [];
  const problems: FieldProblem[] = [];
  const at = (path: string) => `${originOf(document)}: ${path}`;
  return {
    notes,
    problems,
    note: (path, message) => void notes.push({ path: at(path), message }),
    problem: (path, message) => void problems.push({ path: at(path), message }),
  };
}

/** `VirtualService shop/reviews`: what a translated document says it came from. */
export function originOf({ kind, metadata }: Foreign): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`;
}

/** All documents, or all problems. What was met twice is told once. */
export function conclude({ notes, problems }: Report, documents: readonly OwnDocument[]): Translation {
  return problems.length > 0 ? { problems: distinct(problems) } : { documents, notes: distinct(notes) };
}

function distinct(problems: readonly FieldProblem[]): FieldProblem[] {
  return [...new Map(problems.map((one) => [`${one.path} ${one.message}`, one])).values()];
}

const API_VERSIONS: Readonly<Record<string, string>> = {
  HTTPRoute: "gateway.networking.k8s.io/v1",
  Gateway: "gateway.networking.k8s.io/v1",
  Service: "v1",
};

/** What a translated document is named and says, besides where it came from. */
export interface Content {
  readonly kind: "AuthorizationPolicy" | "Endpoint" | "Gateway" | "HTTPRoute" | "Service" | "TrafficPolicy";
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly spec: object;
}

/** A document in the namespace of the one that it comes from. Fields without a value are left out. */
export function documentOf(origin: Foreign, { kind, name, labels, spec }: Content): OwnDocument {
  return {
    apiVersion: API_VERSIONS[kind] ?? "selvedge.dev/v1",
    kind,
    metadata: {
      name,
      namespace: origin.metadata.namespace,
      ...(labels === undefined ? {} : { labels }),
      annotations: { [TRANSLATED_FROM]: originOf(origin) },
    },
    spec,
  };
}

/**
 * The name of what a document becomes: `virtualservice.reviews`. With the
 * kind before it, so that it meets no document that a person has written.
 */
export function derivedName({ kind, metadata }: Foreign, part = ""): string {
  return `${kind.toLowerCase()}.${metadata.name}${part === "" ? "" : `.${part}`}`;
}

/** The fields that have a value. */
export function present<Fields extends object>(fields: Fields): Partial<Fields> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Partial<Fields>;
}

/** A list with something in it, else nothing: an empty list is not worth a line. */
export function some<Item>(items: readonly Item[]): readonly Item[] | undefined {
  return items.length === 0 ? undefined : items;
}

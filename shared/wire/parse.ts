/**
 * From documents to resources: everything that is configured passes here once.
 *
 * @module
 */
import { isPrivate, parseAddress } from "./address.ts";
import { describeIssue, problemsOf } from "./issues.ts";
import type { FieldProblem } from "./problem.ts";
import { resourceKey, type Metadata } from "./resource.ts";
import { findKind, kindsOf } from "./resources/kinds.ts";
import { formOf } from "./resources/forms.ts";
import { originsOf } from "./resources/endpoint-slice.ts";
import { originOf } from "./resources/request-authentication.ts";
import { documentSchemas, isKnownKind, type Kind, type SpecOf } from "./resources/schemas.ts";
import { inspectShape, isPlainObject } from "./shape.ts";

/** A valid document with defaults filled in, before the registry gives it uid, generation and time. */
export interface ParsedResource {
  /** The kind's own, whichever accepted one the document had: one resource has one name. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Pick<Metadata, "name" | "namespace" | "labels" | "annotations">;
  readonly spec: unknown;
}

/** What an apply brings with it besides documents. */
export interface ParseOptions {
  /** For documents of namespaced kinds that name no namespace. Without it they are a problem. */
  readonly defaultNamespace?: string;
  /** Accepts endpoints at private, loopback and link-local addresses: for development. */
  readonly allowPrivateEndpoints: boolean;
}

/** All of the documents, or all that is wrong with them. */
export type ParseResult =
  | { readonly ok: true; readonly resources: readonly ParsedResource[] }
  | { readonly ok: false; readonly problems: readonly FieldProblem[] };

/** Documents in one apply, lists taken apart. */
export const MAX_DOCUMENTS = 10_000;

/** Problems in one answer: enough for a person, and an answer to hostile input stays small. */
const MAX_PROBLEMS = 1_000;

/**
 * Validates all documents of one apply together and tells every problem at
 * once: in all documents, all fields. Rules that compare several fields are
 * checked once the fields themselves are right.
 */
export function parseDocuments(documents: readonly unknown[], options: ParseOptions): ParseResult {
  const items = flatten(documents);
  if (items.length > MAX_DOCUMENTS) {
    const message = `too many: ${items.length} documents, at most ${MAX_DOCUMENTS} in one apply`;
    return { ok: false, problems: [{ path: "documents", message }] };
  }

  const parsed = items.map(({ document, where }) => parseDocument(document, where, options));
  const problems = [
    ...parsed.flatMap((result) => ("problems" in result ? result.problems : [])),
    ...repeated(parsed),
  ];
  if (problems.length > 0) return { ok: false, problems: capped(problems) };
  return { ok: true, resources: parsed.flatMap((result) => ("resource" in result ? [result.resource] : [])) };
}

interface Item {
  readonly document: unknown;
  /** Where it stood, for documents that do not name themselves. */
  readonly where: string;
}

/** Takes Kubernetes' lists apart; a list within a list is refused later as an unknown kind. */
function flatten(documents: readonly unknown[]): Item[] {
  return documents.flatMap((document, index) => {
    const where = `document ${index + 1}`;
    if (!isPlainObject(document) || document.kind !== "List" || !Array.isArray(document.items)) {
      return [{ document, where }];
    }
    return document.items.map((item: unknown, at) => ({ document: item, where: `${where}, item ${at + 1}` }));
  });
}

type Parsed =
  | { readonly where: string; readonly resource: ParsedResource }
  | { readonly where: string; readonly problems: readonly FieldProblem[] };

function parseDocument(original: unknown, position: string, options: ParseOptions): Parsed {
  const shape = inspectShape(original);
  if (shape !== null) return refuse(position, "", shape);
  if (!isPlainObject(original))
    return refuse(position, "", "must be an object with apiVersion, kind and metadata");
  const document = formOf(original);

  const where = nameOf(document, position, options.defaultNamespace ?? "");
  const { kind } = document;
  if (typeof kind !== "string" || !isKnownKind(kind)) {
    const known = kindsOf().map((info) => info.kind);
    return refuse(where, "kind", `must be one of ${known.join(", ")}`);
  }
  const result = documentSchemas[kind].safeParse(document, { error: describeIssue });
  if (!result.success) return { where, problems: problemsOf(result.error, where) };
  return complete(kind, result.data, { where, options });
}

/** `HTTPRoute bookinfo/reviews`, as far as the document says. */
function nameOf(
  document: Readonly<Record<string, unknown>>,
  position: string,
  defaultNamespace: string,
): string {
  const { kind, metadata } = document;
  if (typeof kind !== "string" || kind.length > 63) return position;
  if (!isPlainObject(metadata) || typeof metadata.name !== "string" || metadata.name.length > 253) {
    return `${kind} (${position})`;
  }
  const given = typeof metadata.namespace === "string" ? metadata.namespace.slice(0, 63) : defaultNamespace;
  const namespace = findKind(kind)?.isNamespaced === false ? "" : given;
  return `${kind} ${namespace === "" ? "" : `${namespace}/`}${metadata.name}`;
}

interface Valid {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly labels?: Readonly<Record<string, string>> | null | undefined;
    readonly annotations?: Readonly<Record<string, string>> | null | undefined;
  };
  readonly spec: SpecOf[Kind];
}

function complete(
  kind: Kind,
  { metadata, spec }: Valid,
  { where, options }: { where: string; options: ParseOptions },
): Parsed {
  const info = findKind(kind);
  const namespace = info?.isNamespaced === false ? "" : (metadata.namespace ?? options.defaultNamespace);
  if (namespace === undefined) return refuse(where, "metadata.namespace", "is required: name the namespace");
  const inside = options.allowPrivateEndpoints ? null : privateField(spec);
  if (inside !== null) {
    return refuse(where, inside, "may not be a private, loopback or link-local address: use a public host");
  }
  return {
    where,
    resource: {
      apiVersion: info?.apiVersion ?? "",
      kind,
      metadata: {
        name: metadata.name,
        namespace,
        labels: metadata.labels ?? {},
        annotations: metadata.annotations ?? {},
      },
      spec,
    },
  };
}

/** The field with an address that would reach what is not the tenant's; `null` when there is none. */
function privateField(spec: SpecOf[Kind]): string | null {
  // A WorkloadEntry's address is judged once it is an Endpoint's.
  if ("address" in spec && !("ports" in spec)) return reachesInside(spec.address) ? "spec.address" : null;
  if ("jwtRules" in spec) {
    const inside = spec.jwtRules.findIndex(
      ({ jwksUri }) => jwksUri !== undefined && reachesInside(originOf(jwksUri) ?? ""),
    );
    return inside === -1 ? null : `spec.jwtRules[${inside}].jwksUri`;
  }
  return "addressType" in spec && originsOf(spec).some(reachesInside) ? "endpoints" : null;
}

function reachesInside(text: string): boolean {
  const result = parseAddress(text);
  return !result.ok || isPrivate(result.address);
}

function refuse(where: string, field: string, message: string): Parsed {
  return { where, problems: [{ path: field === "" ? where : `${where}: ${field}`, message }] };
}

/** A resource that one apply names twice: which one should win would be a guess. */
function repeated(parsed: readonly Parsed[]): FieldProblem[] {
  const seen = new Set<string>();
  return parsed.flatMap((result) => {
    if (!("resource" in result)) return [];
    const { apiVersion, kind, metadata } = result.resource;
    const key = resourceKey({ apiVersion, kind, namespace: metadata.namespace, name: metadata.name });
    if (seen.has(key)) return [{ path: result.where, message: "appears twice in this apply: keep one" }];
    seen.add(key);
    return [];
  });
}

function capped(problems: readonly FieldProblem[]): FieldProblem[] {
  if (problems.length <= MAX_PROBLEMS) return [...problems];
  const message = `and ${problems.length - MAX_PROBLEMS} more problems`;
  return [...problems.slice(0, MAX_PROBLEMS), { path: "documents", message }];
}

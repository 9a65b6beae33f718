/**
 * From documents to resources: everything that is configured passes here once.
 *
 * @module
 */
import type { FieldProblem } from "./problem.ts";
import type { Metadata } from "./resource.ts";

/** A valid document with defaults filled in, before the registry gives it uid, generation and time. */
export interface ParsedResource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Pick<Metadata, "name" | "namespace" | "labels" | "annotations">;
  readonly spec: unknown;
}

export interface ParseOptions {
  /** For documents of namespaced kinds that name no namespace. Without it they are a problem. */
  readonly defaultNamespace?: string;
  /** Accepts endpoints at private, loopback and link-local addresses: for development. */
  readonly allowPrivateEndpoints: boolean;
}

export type ParseResult =
  | { readonly ok: true; readonly resources: readonly ParsedResource[] }
  | { readonly ok: false; readonly problems: readonly FieldProblem[] };

/** Validates all documents of one apply together and tells every problem at once. */
export function parseDocuments(documents: readonly unknown[], options: ParseOptions): ParseResult {
  return {
    ok: false,
    problems: [{ path: "documents", message: `${documents.length} of ${String(options)}` }],
  };
}

/** What documents become, as `selvedge import` and the registry see it. */
import { parseAllDocuments } from "yaml";
import { importDocuments } from "../../shared/compile/import.ts";

/** The documents, each as `Kind name` and its spec, and the notes; or the problems. Namespace `shop`. */
export function translated(yaml: string) {
  const imported = importDocuments(documentsOf(yaml), "shop");
  if ("problems" in imported) return { problems: imported.problems.map(told) };
  return { documents: imported.documents, notes: imported.notes.map(told) };
}

/** The specs of what a document becomes, by `Kind name`. Throws when it cannot be translated. */
export function specsOf(yaml: string): Record<string, unknown> {
  const imported = importDocuments(documentsOf(yaml), "shop");
  if ("problems" in imported) throw new Error(imported.problems.map(told).join("\n"));
  return Object.fromEntries(imported.documents.map(entryOf));
}

/** What is wrong with documents; empty when nothing is. */
export function problemsOf(yaml: string): readonly string[] {
  const imported = importDocuments(documentsOf(yaml), "shop");
  return "problems" in imported ? imported.problems.map(told) : [];
}

/** What is told beside the translation. */
export function notesOf(yaml: string): readonly string[] {
  const imported = importDocuments(documentsOf(yaml), "shop");
  return "notes" in imported ? imported.notes.map(told) : [];
}

function documentsOf(yaml: string): unknown[] {
  return parseAllDocuments(yaml).map((document): unknown => document.toJS());
}

function told({ path, message }: { readonly path: string; readonly message: string }): string {
  return `${path}: ${message}`;
}

function entryOf(document: unknown): [string, unknown] {
  const { kind, metadata, spec } = document as {
    readonly kind: string;
    readonly metadata: { readonly name: string };
    readonly spec: unknown;
  };
  return [`${kind} ${metadata.name}`, spec];
}

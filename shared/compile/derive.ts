/**
 * Documents of other meshes as the world holds them: the resources that they
 * become. Only the document itself is stored, so that nothing derived can
 * outlive it, and a release that translates better does so for what is there.
 *
 * @module
 */
import { isForeign, translate, type ForeignDocument } from "../front-doors/translate.ts";
import { originOf } from "../front-doors/translation.ts";
import { parseDocuments, type ParsedResource } from "../wire/parse.ts";
import type { FieldProblem } from "../wire/problem.ts";
import type { Resource } from "../wire/resource.ts";

export type Derivation =
  | { readonly resources: readonly ParsedResource[]; readonly notes: readonly FieldProblem[] }
  | { readonly problems: readonly FieldProblem[] };

/** What a parsed document becomes; `null` when it is of one of the mesh's own kinds. */
export function derive(document: ParsedResource, allowPrivateEndpoints: boolean): Derivation | null {
  return isForeign(document) ? deriveForeign(document, allowPrivateEndpoints) : null;
}

function deriveForeign(document: ForeignDocument, allowPrivateEndpoints: boolean): Derivation {
  const translation = translate(document);
  if ("problems" in translation) return translation;
  // The limits of the mesh's own kinds hold for what is translated, too.
  const parsed = parseDocuments(translation.documents, { allowPrivateEndpoints });
  if (parsed.ok) return { resources: parsed.resources, notes: translation.notes };
  const origin = originOf(document);
  return {
    problems: parsed.problems.map(({ path, message }) => ({ path: `${origin} as ${path}`, message })),
  };
}

/**
 * What a stored resource becomes, of the same age; `null` when it is of one of
 * the mesh's own kinds and stays itself. What cannot be translated was refused when it came, so that
 * nothing is left only after a release that refuses more; the operator's log
 * tells it.
 */
export function unfold(resource: Resource): readonly Resource[] | null {
  const derivation = derive(resource, true);
  if (derivation === null) return null;
  if ("problems" in derivation) {
    const [first] = derivation.problems;
    console.error(`${first?.path ?? resource.kind}: is not in force: ${first?.message ?? ""}`);
    return [];
  }
  const { uid, generation, creationTimestamp } = resource.metadata;
  return derivation.resources.map((derived) => ({
    ...derived,
    metadata: { ...derived.metadata, uid, generation, creationTimestamp },
  }));
}

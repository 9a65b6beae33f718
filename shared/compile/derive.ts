/**
 * Documents of other meshes as the world holds them: the resources that they
 * become. Only the document itself is stored, so that nothing derived can
 * outlive it, and a release that translates better does so for what is there.
 *
 * @module
 */
import type { Entries, Name } from "../front-doors/consul/chain.ts";
import { translateChain } from "../front-doors/consul/translate.ts";
import { isForeign, translate } from "../front-doors/translate.ts";
import { originOf, type Translation } from "../front-doors/translation.ts";
import { parseDocuments, type ParsedResource } from "../wire/parse.ts";
import type { FieldProblem } from "../wire/problem.ts";
import type { Resource } from "../wire/resource.ts";
import { compareText } from "./multimap.ts";

export type Derivation =
  | { readonly resources: readonly ParsedResource[]; readonly notes: readonly FieldProblem[] }
  | { readonly problems: readonly FieldProblem[] };

/** What a parsed document becomes by itself; `null` when it is of one of the mesh's own kinds, or part of a chain. */
export function derive(document: ParsedResource, allowPrivateEndpoints: boolean): Derivation | null {
  return isForeign(document) ? check(translate(document), originOf(document), allowPrivateEndpoints) : null;
}

/** What Consul's config entries of a service become together. */
export function deriveChain(entries: Entries, service: Name): Derivation {
  return check(translateChain(entries, service), `Consul ${service.namespace}/${service.name}`, true);
}

/** The limits of the mesh's own kinds hold for what is translated, too. Problems name the origin. */
export function check(translation: Translation, origin: string, allowPrivateEndpoints: boolean): Derivation {
  if ("problems" in translation) return translation;
  const parsed = parseDocuments(translation.documents, { allowPrivateEndpoints });
  if (parsed.ok) return { resources: parsed.resources, notes: translation.notes };
  return {
    problems: parsed.problems.map(({ path, message }) => ({ path: `${origin} as ${path}`, message })),
  };
}

/**
 * What a stored resource becomes, of the same age; `null` when it is of one of
 * the mesh's own kinds, or part of a chain, and stays itself.
 */
export function unfold(resource: Resource): readonly Resource[] | null {
  const derivation = derive(resource, true);
  return derivation === null ? null : dress(derivation, resource.metadata);
}

/** What a chain is in the world, as old as the oldest of the entries that are about the service; nothing without any. */
export function unfoldChain(
  entries: Entries,
  service: Name,
  about: readonly Resource[],
): readonly Resource[] {
  const [oldest] = about.map(({ metadata }) => metadata).sort((a, b) => compareText(ageOf(a), ageOf(b)));
  return oldest === undefined ? [] : dress(deriveChain(entries, service), oldest);
}

function ageOf({ creationTimestamp, uid }: Resource["metadata"]): string {
  return `${creationTimestamp} ${uid}`;
}

/** What cannot be translated was refused when it came: only a release that refuses more leaves nothing of it. */
function dress(
  derivation: Derivation,
  { uid, generation, creationTimestamp }: Resource["metadata"],
): Resource[] {
  if ("problems" in derivation) return [];
  return derivation.resources.map((derived) => ({
    ...derived,
    metadata: { ...derived.metadata, uid, generation, creationTimestamp },
  }));
}

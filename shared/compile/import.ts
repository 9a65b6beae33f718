/**
 * Documents of other meshes, written as documents of this one.
 *
 * @module
 */
import { entriesIn, entryKey, isEntryKind } from "../front-doors/consul/entries.ts";
import { translateChain } from "../front-doors/consul/translate.ts";
import { upstreamsOf } from "../front-doors/consul/upstream.ts";
import { isForeign, translate } from "../front-doors/translate.ts";
import { openReport, type Translation } from "../front-doors/translation.ts";
import { parseDocuments, type ParsedResource } from "../wire/parse.ts";
import type { FieldProblem } from "../wire/problem.ts";
import { check } from "./derive.ts";

export type Import =
  | { readonly documents: readonly unknown[]; readonly notes: readonly FieldProblem[] }
  | { readonly problems: readonly FieldProblem[] };

/**
 * Translates documents that are given together; those of the mesh's own kinds
 * pass. Whether an address may be private is for the mesh to say.
 */
export function importDocuments(documents: readonly unknown[], defaultNamespace: string): Import {
  const parsed = parseDocuments(documents, { defaultNamespace, allowPrivateEndpoints: true });
  if (!parsed.ok) return { problems: parsed.problems };
  const translations = translationsOf(parsed.resources);
  const problems = translations.flatMap((one) => {
    const checked = check(one, "Translated", true);
    return "problems" in checked ? checked.problems : [];
  });
  if (problems.length > 0) return { problems };
  const own = parsed.resources.filter((one) => !isForeign(one) && !isEntryKind(one.kind)).map(documentOf);
  return {
    documents: [...own, ...translations.flatMap((one) => ("documents" in one ? one.documents : []))],
    notes: [
      ...translations.flatMap((one) => ("notes" in one ? one.notes : [])),
      ...parsed.resources.filter(({ kind }) => kind === "ServiceIntentions").flatMap(noteOf),
    ],
  };
}

/** Each document by itself; config entries of one service together. */
function translationsOf(resources: readonly ParsedResource[]): Translation[] {
  const parts = resources.filter(({ kind }) => isEntryKind(kind));
  const byKey = new Map(parts.map((part) => [entryKey(part.kind, part.metadata), part]));
  const entries = entriesIn(byKey);
  const about = parts.flatMap(({ metadata }) => [metadata, ...upstreamsOf(entries, metadata)]);
  const services = new Map(about.map((service) => [`${service.namespace}/${service.name}`, service]));
  return [
    ...resources.flatMap((resource) => (isForeign(resource) ? [translate(resource)] : [])),
    ...[...services.values()].map(({ namespace, name }) => translateChain(entries, { namespace, name })),
  ];
}

/** A document as a person writes it: without labels and annotations that nobody has given. */
function documentOf({ apiVersion, kind, metadata, spec }: ParsedResource): object {
  const { name, namespace, labels, annotations } = metadata;
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace === "" ? {} : { namespace }),
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    },
    spec,
  };
}

/** No other kind says "the first that matches, and no other". */
function noteOf(resource: ParsedResource): FieldProblem[] {
  const report = openReport(resource);
  report.note("spec", "stays what it is: the mesh decides intentions in Consul's own order");
  return report.notes;
}

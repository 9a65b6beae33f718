/**
 * Documents of other meshes on their way into the registry: whether they can
 * be translated, and whether what they become has a place of its own.
 *
 * @module
 */
import { derive, deriveChain, type Derivation } from "../shared/compile/derive.ts";
import type { World } from "../shared/compile/world.ts";
import { entriesIn, entryKey, isEntry } from "../shared/front-doors/consul/entries.ts";
import { upstreamsOf } from "../shared/front-doors/consul/upstream.ts";
import type { Foreign } from "../shared/front-doors/translation.ts";
import type { ParsedResource } from "../shared/wire/parse.ts";
import type { FieldProblem } from "../shared/wire/problem.ts";
import { resourceKey, type ResourceRef } from "../shared/wire/resource.ts";
import { refOf, type Find, type Step } from "./registry-change.ts";

/** What is wrong with translating documents, and what an operator should know. */
export interface Judgement {
  readonly problems: readonly FieldProblem[];
  readonly notes: readonly string[];
}

/** What the documents of one apply may become: as much as may be stored of one namespace. */
const MAX_TRANSLATED_BYTES = 8_000_000;

const TOO_MUCH: Judgement = {
  problems: [
    {
      path: "documents",
      message: `become more than ${MAX_TRANSLATED_BYTES} bytes of the mesh's own resources: apply them in parts`,
    },
  ],
  notes: [],
};

/** Translates every document of another mesh's kind, for the report alone. `current` has not taken them yet. */
export function judge(
  current: World,
  documents: readonly ParsedResource[],
  allowPrivateEndpoints: boolean,
): Judgement {
  const derivations: Derivation[] = [];
  let bytes = 0;
  for (const one of translations(current, documents, allowPrivateEndpoints)) {
    derivations.push(one);
    bytes += "resources" in one ? JSON.stringify(one.resources).length : 0;
    if (bytes > MAX_TRANSLATED_BYTES) return TOO_MUCH;
  }
  return {
    problems: derivations.flatMap((one) => ("problems" in one ? one.problems : [])),
    notes: derivations.flatMap((one) =>
      "notes" in one ? one.notes.map(({ path, message }) => `${path}: ${message}`) : [],
    ),
  };
}

/** One after the other, so that nobody has to hold more than has been looked at. */
function* translations(
  current: World,
  documents: readonly ParsedResource[],
  allowPrivateEndpoints: boolean,
): Generator<Derivation> {
  for (const document of documents) {
    const derivation = derive(document, allowPrivateEndpoints);
    if (derivation !== null) yield derivation;
  }
  yield* judgeChains(current, documents);
}

/** Each chain of which a document is a part, with the parts that are there already. */
function* judgeChains(current: World, documents: readonly Foreign[]): Generator<Derivation> {
  const added = documents.filter(isEntry);
  const parts = new Map<string, Foreign>(current.entries);
  for (const document of added) parts.set(entryKey(document.kind, document.metadata), document);
  const entries = entriesIn(parts);
  const about = documents.flatMap(({ metadata }) => [metadata, ...upstreamsOf(entries, metadata)]);
  const services = new Map(about.map((service) => [`${service.namespace}/${service.name}`, service]));
  for (const service of services.values()) yield deriveChain(entries, service);
}

/**
 * Resources that would have one place: two documents that become the same, or
 * one that becomes what somebody wrote by hand. `current` has taken the steps.
 */
export function clashes(current: World, steps: readonly Step[], find: Find): FieldProblem[] {
  if (current.derived.size === 0) return [];
  const changed = new Map(steps.map((step) => [step.key, step.after]));
  const exists = (key: string) => (changed.has(key) ? changed.get(key) !== null : find(key) !== null);
  const owners = ownersOf(current);
  return steps.flatMap(({ key, ref, after }) => {
    if (after === null) return [];
    const places = current.derived.get(key)?.map((own) => refOf(own)) ?? [ref];
    return places.flatMap((place) => {
      const taken = owners.get(resourceKey(place)) ?? [];
      const others = taken.filter((owner) => owner !== key).map((owner) => `what ${shown(owner)} becomes`);
      const isWritten = current.derived.has(key) && exists(resourceKey(place));
      const [other] = isWritten ? ["a resource of its own"] : others;
      return other === undefined ? [] : [clash(ref, place, other)];
    });
  });
}

/** The documents (their keys) that become a resource (its key). */
function ownersOf(current: World): ReadonlyMap<string, readonly string[]> {
  const owners = new Map<string, string[]>();
  for (const [owner, resources] of current.derived) {
    for (const resource of resources) {
      const key = resourceKey(refOf(resource));
      owners.set(key, [...(owners.get(key) ?? []), owner]);
    }
  }
  return owners;
}

function clash(ref: ResourceRef, place: ResourceRef, other: string): FieldProblem {
  return {
    path: `${ref.kind} ${ref.namespace}/${ref.name}`,
    message: `${place.kind} ${place.namespace}/${place.name} is already there as ${other}: rename or delete one of them`,
  };
}

/** `VirtualService shop/reviews` from a key. */
function shown(key: string): string {
  const [, kind = "", namespace = "", name = ""] = key.split("/");
  return `${kind} ${namespace}/${name}`;
}

/** Worlds made from YAML, as an apply would make them. */
import { parseAllDocuments } from "yaml";
import { createWorld, put, type World } from "../../shared/compile/world.ts";
import { parseDocuments, type ParsedResource } from "../../shared/wire/parse.ts";
import type { Resource } from "../../shared/wire/resource.ts";

export const TRUST_DOMAIN = "mesh.test";

/** Parses documents into the namespace `shop`, unless they name another. */
export function parseYaml(yaml: string, defaultNamespace = "shop"): readonly ParsedResource[] {
  const documents: unknown[] = parseAllDocuments(yaml).map((document) => document.toJS());
  const result = parseDocuments(
    documents.filter((document) => document !== null),
    { defaultNamespace, allowPrivateEndpoints: false },
  );
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 2));
  return result.resources;
}

/** Stores a parsed resource as the registry does. `age` 0 is the oldest. */
export function store(parsed: ParsedResource, age: number): Resource {
  const creationTimestamp = new Date(Date.UTC(2026, 0, 1) + age * 1000).toISOString();
  return { ...parsed, metadata: { ...parsed.metadata, uid: "", generation: 1, creationTimestamp } };
}

/** A world in which documents that stand earlier are older. */
export function worldOf(yaml: string): World {
  const world = createWorld({ trustDomain: TRUST_DOMAIN });
  for (const [age, parsed] of parseYaml(yaml).entries()) put(world, store(parsed, age));
  return world;
}

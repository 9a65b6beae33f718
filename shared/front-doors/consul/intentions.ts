/**
 * Intentions as the engine decides them. They are no translation: nothing
 * else here says "the first that matches, and no other".
 *
 * @module
 */
import * as intention from "../../engine/intention.ts";
import { canonicalPath, canonicalPathMatch } from "../../wire/path-match.ts";
import type { StringMatch } from "../../engine/match.ts";
import type { ServiceIntentionsSpec } from "../../wire/resources/consul.ts";
import type { Foreign } from "../translation.ts";

/** An intention and where it stands among those of other documents. */
export interface Ranked {
  readonly precedence: intention.Precedence;
  readonly intention: intention.Intention;
}

type Source = ServiceIntentionsSpec["sources"][number];
type PermissionSpec = NonNullable<Source["permissions"]>[number];

/** `wide`: a destination `*` is about every namespace, as in the mesh's own. */
export function compileIntentions(
  { metadata, spec }: Foreign<ServiceIntentionsSpec>,
  { trustDomain, isWide }: { readonly trustDomain: string; readonly isWide: boolean },
): Ranked[] {
  const destinationNamespace = isWide && spec.destination.name === "*" ? "*" : metadata.namespace;
  return spec.sources.map((source, rule) => {
    const from = placeOf(source, metadata.namespace);
    return {
      precedence: {
        sourceNamespace: from.namespace,
        source: source.name,
        destinationNamespace,
        destination: spec.destination.name,
      },
      intention: {
        policy: `${metadata.namespace}/${metadata.name}`,
        rule,
        source: sourceOf(from, trustDomain),
        permissions: permissionsOf(source),
      },
    };
  });
}

/** The intentions of several documents as they are tried. */
export function inOrder(ranked: readonly Ranked[]): intention.Intention[] {
  return ranked
    .toSorted((a, b) => intention.compare(a.precedence, b.precedence))
    .map(({ intention }) => intention);
}

interface Place {
  readonly namespace: string;
  readonly name: string;
}

/** `*` alone is everybody; a name alone is one of the own namespace. */
function placeOf({ name, namespace }: Source, own: string): Place {
  return { name, namespace: namespace ?? (name === "*" ? "*" : own) };
}

function sourceOf({ namespace, name }: Place, trustDomain: string): intention.IntentionSource {
  if (namespace === "*") return { kind: "anyone" };
  if (name === "*") return { kind: "namespace", namespace };
  return { kind: "principal", principal: `${trustDomain}/ns/${namespace}/sa/${name}` };
}

/** An action without permissions is about every request. */
function permissionsOf({ action, permissions }: Source): intention.Permission[] {
  if (permissions !== undefined) return permissions.map(permissionOf);
  return [{ action: action ?? "deny", path: null, methods: [], headers: [] }];
}

function permissionOf({ action, http }: PermissionSpec): intention.Permission {
  return {
    action,
    path: pathOf(http),
    methods: http.methods,
    headers: http.header.map((match) => {
      const { kind, value } = conditionOf(match);
      const name = match.name.toLowerCase();
      return {
        name,
        kind,
        value: match.ignoreCase ? value.toLowerCase() : value,
        ignoresCase: match.ignoreCase,
        isInverted: match.invert,
      };
    }),
  };
}

/** In the form that requests have; what no request can have matches none, and was told. */
function pathOf({ pathExact, pathPrefix }: PermissionSpec["http"]): StringMatch | null {
  if (pathExact !== undefined) return { kind: "exact", value: canonicalPath(pathExact) ?? pathExact };
  if (pathPrefix === undefined) return null;
  return canonicalPathMatch(`${pathPrefix}*`) ?? { kind: "prefix", value: pathPrefix };
}

function conditionOf({
  exact,
  prefix,
  suffix,
  contains,
}: PermissionSpec["http"]["header"][number]): Pick<intention.HeaderCondition, "kind" | "value"> {
  if (exact !== undefined) return { kind: "exact", value: exact };
  if (prefix !== undefined) return { kind: "prefix", value: prefix };
  if (suffix !== undefined) return { kind: "suffix", value: suffix };
  return contains === undefined ? { kind: "present", value: "" } : { kind: "contains", value: contains };
}

/**
 * Matches of a VirtualService's rule.
 *
 * @module
 */
import type { StringMatch } from "../../wire/resources/istio-fields.ts";
import type { VirtualMatch } from "../../wire/resources/virtual-service.ts";
import { present, some } from "../translation.ts";

/** How a rewrite of the path takes hold: it replaces what a prefix matched, else the whole path. */
export type PathKind = "prefix" | "whole";

/** A match of an HTTPRoute, and how its path is rewritten. */
export interface RouteMatch {
  readonly path: PathKind;
  readonly match: object;
}

/** One match for each method that the rule's match names. */
export function translateMatch(match: VirtualMatch): RouteMatch[] {
  const path = match.uri === undefined ? undefined : translatePath(match.uri, match.ignoreUriCase);
  const headers = [...valuesOf(match.headers, {}), ...valuesOf(match.withoutHeaders, { invert: true })];
  const parts = present({
    path,
    headers: some(headers),
    queryParams: some(valuesOf(match.queryParams, {})),
    from: match.sourceNamespace === "" ? undefined : [{ namespaces: [match.sourceNamespace] }],
  });
  const isPrefix = match.uri === undefined || match.uri.prefix !== undefined;
  return methodsOf(match).map((method) => ({
    path: isPrefix ? "prefix" : "whole",
    match: method === undefined ? parts : { ...parts, method },
  }));
}

/** Istio's prefixes are texts: `/a` covers `/ab`. Of `/` both readings are the same. */
function translatePath(uri: StringMatch, ignoreCase: boolean): object {
  const folded = ignoreCase ? { ignoreCase } : {};
  if (uri.exact !== undefined) return { type: "Exact", value: uri.exact, ...folded };
  if (uri.regex !== undefined) return { type: "RegularExpression", value: uri.regex, ...folded };
  const value = uri.prefix ?? "/";
  return value === "/" ? { type: "PathPrefix", value } : { type: "TextPrefix", value, ...folded };
}

function methodsOf({ method }: VirtualMatch): readonly (string | undefined)[] {
  return method?.exact === undefined ? (method?.regex?.split("|") ?? [undefined]) : [method.exact];
}

function valuesOf(matches: Readonly<Record<string, StringMatch>>, extra: object): object[] {
  return Object.entries(matches).map(([name, match]) => ({ ...translateValue(match), name, ...extra }));
}

function translateValue({ exact, prefix, regex }: StringMatch): object {
  if (exact !== undefined) return { type: "Exact", value: exact };
  if (prefix !== undefined) return { type: "Prefix", value: prefix };
  return regex === undefined ? { type: "Present" } : { type: "RegularExpression", value: regex };
}

/**
 * A service's router and what follows it, as rules of an HTTPRoute.
 *
 * @module
 */
import type { ConsulHeaderEdit, ConsulValueMatch, ServiceRouterSpec } from "../../wire/resources/consul.ts";
import { translateRetryOn } from "../envoy-retry.ts";
import { toDuration } from "../time.ts";
import { present, some, type Report } from "../translation.ts";
import { resolve, targetsOf, type Entries, type Name, type Target } from "./chain.ts";

type Route = ServiceRouterSpec["routes"][number];
type Destination = NonNullable<Route["destination"]>;

/** The rules of a service: its routes in their order, then the service itself for whatever is left. */
export function rulesOf(entries: Entries, service: Name, report: Report): object[] {
  const routes = entries.router(service)?.spec.routes ?? [];
  const rules = routes.map((route, index) =>
    ruleOf(entries, service, { route, path: `spec.routes[${index}]`, report }),
  );
  const rest = targetsOf(entries, service);
  const isUntouched = routes.length === 0 && rest.every((target) => isItself(target, service));
  if (rest.length === 0) report.problem("spec", endless(service));
  return isUntouched ? [] : [...rules, { backendRefs: backendsOf(rest, service, report) }];
}

function endless({ name }: Name): string {
  return `the chain of ${name} runs in a circle, or splits too often`;
}

function isItself(target: Target, { namespace, name }: Name): boolean {
  const { service, subset } = target;
  return service.namespace === namespace && service.name === name && subset === null;
}

interface RouteOf {
  readonly route: Route;
  readonly path: string;
  readonly report: Report;
}

function ruleOf(entries: Entries, service: Name, { route, path, report }: RouteOf): object {
  const destination: Partial<Destination> = route.destination ?? {};
  const next = {
    namespace: destination.namespace ?? service.namespace,
    name: destination.service ?? service.name,
  };
  const targets =
    destination.serviceSubset === undefined
      ? targetsOf(entries, next)
      : resolve(entries, { service: next, subset: destination.serviceSubset });
  if (targets.length === 0) report.problem(path, endless(next));
  return present({
    matches: matchesOf(route),
    filters: some([...headerFilters([destination], report), ...rewriteOf(route)]),
    backendRefs: backendsOf(targets, service, report),
    timeouts:
      destination.requestTimeout === undefined
        ? undefined
        : { request: toDuration(destination.requestTimeout) },
    retry: retryOf(destination, path, report),
  });
}

function matchesOf({ match }: Route): readonly object[] | undefined {
  const http = match?.http;
  if (http === undefined) return undefined;
  const parts = present({
    path: pathOf(http),
    headers: some(http.header.map(valueOf)),
    queryParams: some(http.queryParam.map(valueOf)),
  });
  return http.methods.length === 0 ? [parts] : http.methods.map((method) => ({ ...parts, method }));
}

/** Prefixes are texts, as in Istio. */
function pathOf({
  pathExact,
  pathPrefix,
  pathRegex,
  caseInsensitive,
}: NonNullable<NonNullable<Route["match"]>["http"]>): object | undefined {
  const folded = caseInsensitive ? { ignoreCase: true } : {};
  if (pathExact !== undefined) return { type: "Exact", value: pathExact, ...folded };
  if (pathRegex !== undefined) return { type: "RegularExpression", value: pathRegex, ...folded };
  return pathPrefix === undefined ? undefined : { type: "TextPrefix", value: pathPrefix, ...folded };
}

const TYPES = [
  ["exact", "Exact"],
  ["prefix", "Prefix"],
  ["suffix", "Suffix"],
  ["contains", "Contains"],
  ["regex", "RegularExpression"],
] as const;

function valueOf(match: ConsulValueMatch): object {
  const extra = present({
    ignoreCase: match.ignoreCase ? true : undefined,
    invert: match.invert === true ? true : undefined,
  });
  for (const [field, type] of TYPES) {
    const value = match[field];
    if (value !== undefined) return { type, name: match.name, value, ...extra };
  }
  return { type: "Present", name: match.name, ...extra };
}

function rewriteOf({ match, destination }: Route): object[] {
  const value = destination?.prefixRewrite;
  if (value === undefined) return [];
  const path =
    match?.http?.pathExact === undefined
      ? { type: "ReplacePrefixMatch", replacePrefixMatch: value }
      : { type: "ReplaceFullPath", replaceFullPath: value };
  return [{ type: "URLRewrite", urlRewrite: { path } }];
}

/** Consul retries once where something is to be retried and no number is given (Envoy's default). */
function retryOf(
  { numRetries, retryOnConnectFailure, retryOn, retryOnStatusCodes }: Partial<Destination>,
  path: string,
  report: Report,
): object | undefined {
  const asked = [...(retryOn ?? []), ...(retryOnConnectFailure === true ? ["connect-failure"] : [])];
  const statuses = retryOnStatusCodes ?? [];
  if (asked.length === 0 && statuses.length === 0 && numRetries === undefined) return undefined;
  const { on } = translateRetryOn(asked, `${path}.destination.retryOn`, report);
  return present({ attempts: numRetries ?? 1, on, codes: some(statuses), anyMethod: true });
}

interface Edited {
  readonly requestHeaders?: ConsulHeaderEdit | undefined;
  readonly responseHeaders?: ConsulHeaderEdit | undefined;
}

/** Changes to headers, those of the outermost first. */
function headerFilters(edits: readonly Edited[], report: Report): object[] {
  const directions = [
    ["requestHeaders", "RequestHeaderModifier", "requestHeaderModifier"],
    ["responseHeaders", "ResponseHeaderModifier", "responseHeaderModifier"],
  ] as const;
  return directions.flatMap(([from, type, field]) => {
    const given = edits.flatMap((edit) => edit[from] ?? []);
    if (given.length === 0) return [];
    const [set, add] = [pairs(given.map(({ set }) => set)), pairs(given.map(({ add }) => add))];
    if ([...set, ...add].some(({ value }) => value.includes("%"))) {
      report.problem(`spec: ${from}`, "not supported: values with % (Envoy's substitutions)");
    }
    const remove = [...new Set(given.flatMap((edit) => edit.remove))];
    return [{ type, [field]: present({ set: some(set), add: some(add), remove: some(remove) }) }];
  });
}

function pairs(maps: readonly Readonly<Record<string, string>>[]): { name: string; value: string }[] {
  const merged = Object.assign({}, ...maps) as Record<string, string>;
  return Object.entries(merged).map(([name, value]) => ({ name, value }));
}

/** A millionth is the smallest share: Gateway API's largest weight is a million. */
const WHOLE = 1_000_000;

function backendsOf(targets: readonly Target[], own: Name, report: Report): object[] {
  return targets.map(({ service, subset, share, splits }) =>
    present({
      kind: "Service",
      name: service.name,
      namespace: service.namespace === own.namespace ? undefined : service.namespace,
      subset: subset ?? undefined,
      weight: targets.length === 1 ? undefined : Math.round(share * WHOLE),
      filters: some(headerFilters(splits, report)),
    }),
  );
}

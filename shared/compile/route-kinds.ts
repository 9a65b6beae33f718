/**
 * Gateway API's kinds of routes, brought into the one form that the compiler
 * knows: an HTTPRoute. A GRPCRoute is one in other words; of a stream's route
 * only parents, host names and backends are left.
 *
 * @module
 */
import type { Resource } from "../wire/resource.ts";
import type { GrpcMatch, GrpcRouteSpec } from "../wire/resources/grpc-route.ts";
import type { HttpMatch, HttpRouteSpec, HttpRule } from "../wire/resources/http-route.ts";
import { isKind } from "../wire/resources/schemas.ts";
import type { TcpRouteSpec, TlsRouteSpec } from "../wire/resources/stream-route.ts";

export const ROUTE_KINDS = ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"] as const;

export type RouteKind = (typeof ROUTE_KINDS)[number];

/** A route of any kind; `kind` tells which. */
export type AnyRoute = Resource<HttpRouteSpec>;

/** Whether routes of a kind decide requests; others decide streams. */
export function isForRequests({ kind }: AnyRoute): boolean {
  return kind === "HTTPRoute" || kind === "GRPCRoute";
}

/** Whether a kind is one of routes. */
export function isRouteKind(kind: string): kind is RouteKind {
  return ROUTE_KINDS.some((known) => known === kind);
}

/** A route's name among the routes of all kinds in its namespace. */
export function nameInSpace(kind: string, name: string): string {
  return kind === "HTTPRoute" ? name : `${kind}/${name}`;
}

/** A route's name among all routes: `namespace/name`, with the kind between unless it is an HTTPRoute. */
export function routeKey({ kind, metadata }: AnyRoute): string {
  return `${metadata.namespace}/${nameInSpace(kind, metadata.name)}`;
}

/** The kind of the route that has a `routeKey`. */
export function kindOfKey(key: string): RouteKind {
  const [, kind = "", name] = key.split("/");
  return name !== undefined && isRouteKind(kind) ? kind : "HTTPRoute";
}

/** A route in the compiler's form; `null` when the resource is none. */
export function routeOf(resource: Resource): AnyRoute | null {
  if (isKind(resource, "HTTPRoute")) return resource;
  if (isKind(resource, "GRPCRoute")) return { ...resource, spec: fromGrpc(resource.spec) };
  if (isKind(resource, "TLSRoute") || isKind(resource, "TCPRoute")) {
    return { ...resource, spec: fromStream(resource.spec) };
  }
  return null;
}

function fromGrpc({ parentRefs, hostnames, rules }: GrpcRouteSpec): HttpRouteSpec {
  return {
    parentRefs,
    hostnames,
    rules: rules.map(({ matches, ...rule }): HttpRule => ({
      ...rule,
      filters: rule.filters,
      matches: matches.map(fromGrpcMatch),
    })),
  };
}

/** A call of gRPC is a POST to `/service/method`. */
function fromGrpcMatch({ method, headers }: GrpcMatch): HttpMatch {
  return { method: "POST", path: pathOf(method), headers, queryParams: [] };
}

function pathOf(match: GrpcMatch["method"]): HttpMatch["path"] {
  const { type = "Exact", service, method } = match ?? {};
  if (service === undefined && method === undefined) return { type: "PathPrefix", value: "/" };
  if (type === "RegularExpression" || service === undefined) {
    return { type: "RegularExpression", value: `/${part(service)}/${part(method)}` };
  }
  return method === undefined
    ? { type: "PathPrefix", value: `/${service}` }
    : { type: "Exact", value: `/${service}/${method}` };
}

function part(source: string | undefined): string {
  return source === undefined ? "[^/]+" : `(?:${source})`;
}

function fromStream(spec: TcpRouteSpec | TlsRouteSpec): HttpRouteSpec {
  return {
    parentRefs: spec.parentRefs,
    hostnames: "hostnames" in spec ? spec.hostnames : [],
    rules: spec.rules.map(({ name, backendRefs }): HttpRule => ({
      name,
      matches: [],
      filters: [],
      backendRefs: backendRefs.map(({ filters: _none, ...backend }) => ({ ...backend, filters: [] })),
    })),
  };
}

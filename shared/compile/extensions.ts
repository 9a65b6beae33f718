/**
 * What an HTTPRoute says beyond Gateway API, as the engine decides it.
 *
 * @module
 */
import type { SourceMatch } from "../engine/authorize.ts";
import type { Fault } from "../engine/fault.ts";
import * as match from "../engine/match.ts";
import type { RouteEntry, ValueMatch } from "../engine/route.ts";
import { TRANSLATED_FROM } from "../front-doors/translation.ts";
import { parseDuration } from "../wire/duration.ts";
import type { Resource } from "../wire/resource.ts";
import type { HttpRouteSpec } from "../wire/resources/http-route.ts";
import { readGrpcStatus, type RouteCallers, type RouteFaults } from "../wire/resources/route-extensions.ts";

/** A header's or a query parameter's match as it is configured. */
interface ValueSpec {
  readonly type: string;
  readonly name: string;
  readonly value?: string | undefined;
  readonly invert?: boolean | undefined;
  readonly ignoreCase?: boolean | undefined;
}

const KINDS: Readonly<Record<string, ValueMatch["kind"]>> = {
  Exact: "exact",
  Prefix: "prefix",
  Suffix: "suffix",
  Contains: "contains",
  Present: "present",
  RegularExpression: "regex",
};

/** Compiles a match of a value. The case of a regular expression is told in the expression. */
export function compileValue({ type, name, value = "", invert, ignoreCase }: ValueSpec): ValueMatch {
  const kind = KINDS[type] ?? "exact";
  const isFolded = ignoreCase === true;
  return {
    name,
    kind,
    value: kind === "regex" && isFolded ? `(?i)${value}` : value,
    ...(invert === true ? { isInverted: true } : {}),
    ...(isFolded && kind !== "regex" ? { ignoresCase: true } : {}),
  };
}

/** Compiles whom a match is for. */
export function compileCallers(callers: RouteCallers, trustDomain: string): SourceMatch[] {
  const own = (text: string) => text.replace(/^cluster\.local\//, `${trustDomain}/`);
  return callers.map(({ namespaces, principals }) => ({
    ...(namespaces === undefined ? {} : { namespaces: namespaces.map(match.parseStringMatch) }),
    ...(principals === undefined ? {} : { principals: principals.map(own).map(match.parseStringMatch) }),
  }));
}

/** Compiles a rule's faults, which hold for as long as the route says so. `policy` is the route's name. */
export function compileFaults(faults: RouteFaults, policy: string): Fault[] {
  return faults.map(({ delay, abort }) => ({
    policy,
    match: { headers: [], callers: [] },
    ...(delay === undefined
      ? {}
      : { delay: { fixedMs: parseDuration(delay.fixed) ?? 0, jitterMs: 0, share: delay.percentage / 100 } }),
    ...(abort === undefined ? {} : { abort: compileAbort(abort) }),
    expiresAt: null,
  }));
}

/** Compiles an abort. gRPC tells failures in a response whose HTTP status is 200. */
export function compileAbort(abort: NonNullable<RouteFaults[number]["abort"]>): NonNullable<Fault["abort"]> {
  const grpcStatus = readGrpcStatus(abort.grpcStatus ?? "");
  const share = abort.percentage / 100;
  return grpcStatus === null
    ? { status: abort.httpStatus ?? 500, share }
    : { status: 200, grpcStatus, share };
}

type Route = Resource<HttpRouteSpec>;

/** Whether a route's rules keep their order. */
export function isListed({ spec }: Route): boolean {
  return spec.order === "Listed";
}

/** The document that a route is of: itself, or the one that it was translated from. */
export function documentOf({ metadata }: Route): string {
  return metadata.annotations[TRANSLATED_FROM] ?? `${metadata.namespace}/${metadata.name}`;
}

/** Whether an entry matches every request. */
export function isCatchAll({ path, method, headers, query, callers }: RouteEntry): boolean {
  return (
    path.kind !== "exact" &&
    path.value === "/" &&
    method === undefined &&
    headers.length === 0 &&
    query.length === 0 &&
    callers === undefined
  );
}

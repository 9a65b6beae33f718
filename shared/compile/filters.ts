/**
 * Filters of a route, as the engine applies them.
 *
 * @module
 */
import type { Cors } from "../engine/cors.ts";
import type { Filters, HeaderEdit, Rewrite } from "../engine/filter.ts";
import type { Mirror } from "../engine/mirror.ts";
import type { PathRewrite, Redirect } from "../engine/redirect.ts";
import { canonicalPath } from "../wire/path-match.ts";
import type {
  CorsSpec,
  HeaderModifier,
  HttpFilter,
  MirrorSpec,
  PathModifier,
} from "../wire/resources/http-filter.ts";

/** Tells which service a mirror means and whether it may be used: the rest of a mirror is compiled here. */
export type MirrorTarget = (spec: MirrorSpec) => Omit<Mirror, "share">;

/** Each type occurs at most once in a list, except mirrors. */
export function compileFilters(filters: readonly Partial<HttpFilter>[], targetOf: MirrorTarget): Filters {
  const request = filters.find((filter) => filter.requestHeaderModifier !== undefined)?.requestHeaderModifier;
  const response = filters.find(
    (filter) => filter.responseHeaderModifier !== undefined,
  )?.responseHeaderModifier;
  const rewrite = filters.find((filter) => filter.urlRewrite !== undefined)?.urlRewrite;
  const redirect = compileRedirect(filters);
  const mirrors = filters.flatMap(({ requestMirror }) => requestMirror ?? []);
  const cors = filters.find((filter) => filter.cors !== undefined)?.cors;
  return {
    ...(request === undefined ? {} : { request: compileEdit(request) }),
    ...(response === undefined ? {} : { response: compileEdit(response) }),
    ...(rewrite === undefined ? {} : { rewrite: compileRewrite(rewrite) }),
    ...(redirect === undefined ? {} : { redirect }),
    ...(mirrors.length === 0
      ? {}
      : { mirrors: mirrors.map((mirror) => ({ ...targetOf(mirror), share: shareOf(mirror) })) }),
    ...(cors === undefined ? {} : { cors: compileCors(cors) }),
  };
}

function shareOf({ percent, fraction }: MirrorSpec): number {
  if (fraction !== undefined) return fraction.numerator / fraction.denominator;
  return (percent ?? 100) / 100;
}

function compileCors({ maxAge, allowOrigins, ...cors }: CorsSpec): Cors {
  return { ...cors, allowOrigins: allowOrigins.map(canonicalOrigin), maxAgeSeconds: maxAge };
}

/** As browsers write an origin: in lower case, without the default port. */
function canonicalOrigin(text: string): string {
  const origin = text.toLowerCase();
  return origin.startsWith("https:") ? origin.replace(/:443$/, "") : origin.replace(/:80$/, "");
}

function compileEdit({ set, add, remove }: HeaderModifier): HeaderEdit {
  return {
    set: set.map(lowerName),
    add: add.map(lowerName),
    remove: remove.map((name) => name.toLowerCase()),
  };
}

function lowerName({ name, value }: HeaderModifier["set"][number]): [name: string, value: string] {
  return [name.toLowerCase(), value];
}

function compileRewrite({ hostname, path }: NonNullable<HttpFilter["urlRewrite"]>): Rewrite {
  return {
    ...(hostname === undefined ? {} : { hostname }),
    ...(path === undefined ? {} : { path: compilePath(path) }),
  };
}

function compilePath({ type, replaceFullPath, replacePrefixMatch }: PathModifier): PathRewrite {
  const text = (type === "ReplaceFullPath" ? replaceFullPath : replacePrefixMatch) ?? "";
  return {
    kind: type === "ReplaceFullPath" ? "full" : "prefix",
    value: text === "" ? "/" : (canonicalPath(text) ?? text),
  };
}

/** The redirect that answers instead of a backend, when there is one. */
function compileRedirect(filters: readonly Partial<HttpFilter>[]): Redirect | undefined {
  const spec = filters.find((filter) => filter.requestRedirect !== undefined)?.requestRedirect;
  if (spec === undefined) return undefined;
  const { scheme, hostname, port, path, statusCode } = spec;
  return {
    ...(scheme === undefined ? {} : { scheme }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(port === undefined ? {} : { port }),
    ...(path === undefined ? {} : { path: compilePath(path) }),
    statusCode,
  };
}

/**
 * Redirects and path rewrites.
 *
 * @module
 */
import { defaultPort } from "./host.ts";
import type { RequestView } from "./request.ts";
import type { PathMatch } from "./route.ts";

/** `prefix` replaces the prefix that the route matched, by whole segments; `full` the whole path. */
export interface PathRewrite {
  readonly kind: "full" | "prefix";
  readonly value: string;
}

/** What is absent is taken from the request (Gateway API `HTTPRequestRedirectFilter`). */
export interface Redirect {
  readonly scheme?: "http" | "https";
  readonly hostname?: string;
  readonly port?: number;
  readonly path?: PathRewrite;
  readonly statusCode: 301 | 302 | 303 | 307 | 308;
}

/**
 * The absolute URL that a redirect sends the client to, for `Location`.
 *
 * Without a port of its own a redirect goes to the default port of the scheme
 * that it names, else to the port that the client called (Gateway API: the
 * listener's). The default port of the resulting scheme is left out. The
 * query is kept.
 */
export function locate(redirect: Redirect, request: RequestView, matched: PathMatch): string {
  const scheme = redirect.scheme ?? request.scheme;
  const port = redirect.port ?? (redirect.scheme === undefined ? request.port : defaultPort(scheme));
  const authority = redirect.hostname ?? request.host;
  const path = redirect.path === undefined ? request.path : rewritePath(redirect.path, request.path, matched);
  const suffix = request.query === "" ? "" : `?${request.query}`;
  return `${scheme}://${authority}${port === defaultPort(scheme) ? "" : `:${port}`}${path}${suffix}`;
}

/**
 * The path that takes the place of `path`, which the rule matched by
 * `matched`. A prefix is replaced by whole segments: trailing slashes of the
 * prefix and of its replacement do not count, what follows the prefix is kept
 * as it is, and the result is never empty (Gateway API `ReplacePrefixMatch`).
 * A rule that matches an exact path has that path as its prefix, one that
 * matches a regular expression the whole path. A text prefix is replaced by
 * text (Istio, Consul), but never by a second slash before what follows.
 */
export function rewritePath(rewrite: PathRewrite, path: string, matched: PathMatch): string {
  if (rewrite.kind === "full" || matched.kind === "regex") return rewrite.value === "" ? "/" : rewrite.value;
  // By length, because a match may ignore case.
  const isWhole = path.length === matched.value.length;
  if (matched.kind === "text-prefix") return replaceText(rewrite.value, path.slice(matched.value.length));
  // Also right for the prefix `/`, whose slash is no segment: `/` becomes the replacement, without a slash behind it.
  const rest = isWhole ? "" : path.slice(withoutTrailingSlash(matched.value).length);
  const rewritten = withoutTrailingSlash(rewrite.value) + rest;
  return rewritten === "" ? "/" : rewritten;
}

function replaceText(replacement: string, rest: string): string {
  const rewritten = rest.startsWith("/") ? withoutTrailingSlash(replacement) + rest : replacement + rest;
  return rewritten.startsWith("/") ? rewritten : `/${rewritten}`;
}

function withoutTrailingSlash(path: string): string {
  return path.endsWith("/") ? path.slice(0, -1) : path;
}

/**
 * Redirects and path rewrites.
 *
 * @module
 */

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

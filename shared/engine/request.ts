/**
 * A request as decisions see it: one canonical value that routing, policy,
 * forwarding and the log all share, so that no two of them can disagree.
 *
 * @module
 */

/** Reads header fields by name, whatever case they were sent in. A platform `Headers` is one. */
export interface HeaderReader {
  get(name: string): string | null;
}

export interface RequestView {
  /** As sent; methods are case-sensitive (RFC 9110 §9.1). */
  readonly method: string;
  readonly scheme: "http" | "https";
  /** The Host as the client sent it, port included: what a backend sees unless a route rewrites it. */
  readonly authority: string;
  /** `authority` in lower case, without port and trailing dot: what host matches compare. */
  readonly host: string;
  /** The port of `authority`, else the default port of `scheme`. */
  readonly port: number;
  /**
   * The canonical path: absolute and, at the strict level, with unreserved
   * characters decoded and without dot or empty segments. What laxer levels
   * leave in it is told by `PathLevel`.
   */
  readonly path: string;
  /** Everything after the first `?`, as sent; empty when there is none. Never part of a path match. */
  readonly query: string;
  readonly headers: HeaderReader;
}

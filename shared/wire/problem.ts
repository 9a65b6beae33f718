/**
 * Failures as the mesh tells them: one union of codes, one table from code to
 * HTTP status, one shape on the wire (RFC 9457 problem details).
 *
 * @module
 */

interface Meaning {
  readonly status: number;
  readonly title: string;
  /** The proxy error type of RFC 9209 §2.3, where the mesh answers on the data path. */
  readonly proxyStatus?: string;
}

/** Every code, its HTTP status and what it tells a person. The only place where a code meets a status. */
export const PROBLEMS = {
  "path.noncanonical": {
    status: 400,
    title: "The path is not in canonical form",
    proxyStatus: "http_request_error",
  },
  "path.encoded": {
    status: 400,
    title: "The path hides a separator or a control character",
    proxyStatus: "http_request_error",
  },
  "host.invalid": {
    status: 400,
    title: "The Host header is not a valid host",
    proxyStatus: "http_request_error",
  },
  "header.invalid": {
    status: 400,
    title: "A header is malformed or repeated",
    proxyStatus: "http_request_error",
  },
  "header.hopbyhop": {
    status: 400,
    title: "Connection names a header that it may not remove",
    proxyStatus: "http_request_error",
  },
  "request.malformed": { status: 400, title: "The request cannot be read" },
  "authn.missing": {
    status: 401,
    title: "The call needs a caller with a proven identity",
    proxyStatus: "http_request_denied",
  },
  "authn.token.invalid": {
    status: 401,
    title: "The token is not valid here",
    proxyStatus: "http_request_denied",
  },
  "authn.token.expired": { status: 401, title: "The token has expired", proxyStatus: "http_request_denied" },
  "authn.token.unbound": {
    status: 401,
    title: "The token needs the client certificate that it is bound to",
    proxyStatus: "http_request_denied",
  },
  "authn.token.replayed": {
    status: 401,
    title: "The token was used before and counts once",
    proxyStatus: "http_request_denied",
  },
  "authn.certificate.invalid": {
    status: 401,
    title: "The client certificate is not valid here",
    proxyStatus: "http_request_denied",
  },
  "authn.revoked": {
    status: 401,
    title: "The proof of identity was revoked",
    proxyStatus: "http_request_denied",
  },
  "authn.token.audience": {
    status: 403,
    title: "The token is for somebody else",
    proxyStatus: "http_request_denied",
  },
  "authn.keys_unavailable": {
    status: 503,
    title: "No keys to check tokens with",
    proxyStatus: "proxy_internal_error",
  },
  "authn.replay_unavailable": {
    status: 503,
    title: "Whether the token was used before cannot be told",
    proxyStatus: "proxy_internal_error",
  },
  "authz.default_deny": {
    status: 403,
    title: "No policy allows the call",
    proxyStatus: "http_request_denied",
  },
  "authz.rule": { status: 403, title: "A policy denies the call", proxyStatus: "http_request_denied" },
  "authz.custom": {
    status: 403,
    title: "An external authorizer does not allow the call",
    proxyStatus: "http_request_denied",
  },
  "authz.error": {
    status: 503,
    title: "The policy could not be decided",
    proxyStatus: "proxy_internal_error",
  },
  "endpoint.forbidden": { status: 422, title: "The address may not be an endpoint" },
  "admin.unauthorized": { status: 401, title: "The admin API needs a valid bearer token" },
  "admin.forbidden": { status: 403, title: "The token does not allow this" },
  "admin.throttled": { status: 429, title: "Too many failures to authenticate" },
  "csrf.origin": { status: 403, title: "The request comes from a foreign origin" },
  "route.none": { status: 404, title: "No route matches", proxyStatus: "destination_not_found" },
  "resource.not_found": { status: 404, title: "There is no such resource" },
  "method.not_allowed": { status: 405, title: "The method is not allowed here" },
  "config.conflict": { status: 409, title: "The change conflicts with what is stored" },
  "config.flips": { status: 409, title: "Recorded calls would be decided otherwise" },
  "config.revision": { status: 412, title: "The configuration has moved on" },
  // nginx's status, for logs and metrics: nobody is there to read it.
  "caller.gone": { status: 499, title: "The caller has gone" },
  "body.too_large": { status: 413, title: "The body is too large" },
  "path.too_long": {
    status: 414,
    title: "The request target is too long",
    proxyStatus: "http_request_error",
  },
  "body.media_type": { status: 415, title: "The body has the wrong media type" },
  "host.unknown": {
    status: 421,
    title: "No service or gateway answers to this host",
    proxyStatus: "destination_not_found",
  },
  "config.invalid": { status: 422, title: "The configuration is not valid" },
  "ratelimit.exceeded": { status: 429, title: "Too many requests", proxyStatus: "http_request_denied" },
  "ratelimit.unavailable": {
    status: 503,
    title: "The rate limit cannot be checked",
    proxyStatus: "proxy_internal_error",
  },
  "header.too_large": { status: 431, title: "The headers are too large", proxyStatus: "http_request_error" },
  "backend.missing": {
    status: 500,
    title: "The route's backend does not exist",
    proxyStatus: "proxy_configuration_error",
  },
  "backend.kind": {
    status: 500,
    title: "The route's backend is not of a known kind",
    proxyStatus: "proxy_configuration_error",
  },
  "backend.forbidden": {
    status: 500,
    title: "The route may not use this backend",
    proxyStatus: "proxy_configuration_error",
  },
  "backend.none": {
    status: 500,
    title: "The route has no backend",
    proxyStatus: "proxy_configuration_error",
  },
  internal: { status: 500, title: "The mesh failed", proxyStatus: "proxy_internal_error" },
  "overload.pending": {
    status: 503,
    title: "Too many calls to the service wait already",
    proxyStatus: "connection_limit_reached",
  },
  "overload.shed": {
    status: 503,
    title: "The service has as many calls as it can work on",
    proxyStatus: "connection_limit_reached",
  },
  "overload.long_calls": {
    status: 503,
    title: "Too many calls stay open",
    proxyStatus: "connection_limit_reached",
  },
  // Both 503, as Envoy's and Gateway API's, which tells clients that another try may help.
  "upstream.broken": {
    status: 503,
    title: "The service broke the connection",
    proxyStatus: "connection_terminated",
  },
  "upstream.unreachable": {
    status: 503,
    title: "The service cannot be reached",
    proxyStatus: "destination_ip_unroutable",
  },
  "endpoint.none": {
    status: 503,
    title: "The service has no usable endpoint",
    proxyStatus: "destination_unavailable",
  },
  "circuit.open": {
    status: 503,
    title: "The circuit to the service is open",
    proxyStatus: "connection_limit_reached",
  },
  "control.unavailable": {
    status: 503,
    title: "The mesh's configuration cannot be loaded",
    proxyStatus: "proxy_internal_error",
  },
  "upstream.timeout": {
    status: 504,
    title: "The service did not answer in time",
    proxyStatus: "connection_read_timeout",
  },
  "fault.abort": {
    // The fault's own status takes its place.
    status: 503,
    title: "A fault was injected on purpose",
    proxyStatus: "proxy_internal_response",
  },
  "loop.detected": {
    status: 508,
    title: "The request has passed the mesh too often",
    proxyStatus: "proxy_loop_detected",
  },
} as const satisfies Record<string, Meaning>;

export type ProblemCode = keyof typeof PROBLEMS;

/** One invalid field: where, what is wrong, and what to write instead. */
export interface FieldProblem {
  /** Names the document and the field: `HTTPRoute bookinfo/reviews: spec.rules[0].matches[1].path.value`. */
  readonly path: string;
  readonly message: string;
}

/** A failure as data: crosses RPC and HTTP. Nothing internal: no stack, no cause. */
export interface Problem {
  readonly code: ProblemCode;
  /** For whoever caused it: what to check or to write instead. */
  readonly detail: string;
  readonly fields?: readonly FieldProblem[];
  readonly retryAfterMs?: number;
}

/** An expected outcome of an object's method: RPC drops an error's own properties, so failures are values. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: Problem };

/** A failure inside one host on its way to the handler that answers it. */
export class MeshError extends Error {
  override readonly name = "MeshError";
  readonly problem: Problem;

  constructor(problem: Problem, options?: { cause?: unknown }) {
    super(`${problem.code}: ${problem.detail}`, options);
    this.problem = problem;
  }
}

/** Wraps a value as a successful outcome. */
export function succeed<T>(value: T): Outcome<T> {
  return { ok: true, value };
}

/** Wraps a problem as a failed outcome. */
export function fail<T = never>(problem: Problem): Outcome<T> {
  return { ok: false, problem };
}

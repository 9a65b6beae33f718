/**
 * Session persistence: a client's later calls go where its first one went
 * (Gateway API, GEP-1619). The client carries the session in a cookie or a
 * header; the mesh stores nothing.
 *
 * @module
 */
import { cookieOf, setCookie, type Field } from "./cookie.ts";
import type { Endpoint } from "./endpoint.ts";
import { hash32 } from "./hash.ts";
import type { HeaderReader } from "./request.ts";
import type { Millis } from "./time.ts";

export interface SessionPersistence {
  /** Where the session is carried: in a cookie, or in a header of responses that the client sends back with its requests. */
  readonly kind: "cookie" | "header";
  /** Of the cookie, or of the header in lower case. */
  readonly name: string;
  /** From a session's begin, however busy it is, after which an endpoint is picked anew. Absent: no end. */
  readonly absoluteTimeoutMs?: Millis;
  /** A `session` cookie goes with the browser's session; a `permanent` one lasts for `absoluteTimeoutMs`. */
  readonly lifetime: "session" | "permanent";
  /** Of the cookie. */
  readonly path: string;
}

/** A service as a session sees it. */
export interface Place {
  /** `namespace/name`: the same endpoint id elsewhere is another session. */
  readonly service: string;
  /** Those that may be used. */
  readonly endpoints: readonly Endpoint[];
}

/**
 * Finds the endpoint of a request's session. `null` when there is no session,
 * it is over, or its endpoint is gone: the balancer then picks one, and
 * `issue` begins a new session there. A value that was not issued here names
 * no endpoint or, forged, one that the client could get by luck as well.
 */
export function read(
  policy: SessionPersistence,
  headers: HeaderReader,
  { service, endpoints }: Place,
  now: Millis,
): Endpoint | null {
  const value = valueOf(policy, headers);
  const [, token, begin = ""] = /^([0-9a-f]{16})\.([0-9a-z]{1,9})$/.exec(value ?? "") ?? [];
  if (token === undefined) return null;
  const ageMs = now - parseInt(begin, 36) * 1_000;
  if (policy.absoluteTimeoutMs !== undefined && ageMs >= policy.absoluteTimeoutMs) return null;
  return endpoints.find(({ id }) => tokenOf(service, id) === token) ?? null;
}

/**
 * Makes the field of the response that begins a session at an endpoint. Only
 * for calls of which `read` found another endpoint or none: a session that is
 * sent again with every response would never reach its absolute time-out.
 */
export function issue(policy: SessionPersistence, service: string, endpoint: string, now: Millis): Field {
  const value = `${tokenOf(service, endpoint)}.${Math.floor(now / 1_000).toString(36)}`;
  if (policy.kind === "header") return { name: policy.name, value };
  const maxAgeMs = policy.lifetime === "permanent" ? (policy.absoluteTimeoutMs ?? null) : null;
  return setCookie({ name: policy.name, value, path: policy.path, maxAgeMs });
}

function valueOf({ kind, name }: SessionPersistence, headers: HeaderReader): string | null {
  return kind === "header" ? headers.get(name) : cookieOf(headers.get("cookie"), name);
}

/** Opaque: says nothing of the endpoint to whoever does not know its name. */
function tokenOf(service: string, endpoint: string): string {
  const text = `${service}/${endpoint}`;
  return `${hex(hash32(text))}${hex(hash32(text, 1))}`;
}

function hex(hash: number): string {
  return hash.toString(16).padStart(8, "0");
}

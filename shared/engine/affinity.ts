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
  /** Without a call, after which an endpoint is picked anew: a whole number of seconds counts. Absent: no end. */
  readonly idleTimeoutMs?: Millis;
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
  const session = parse(valueOf(policy, headers));
  if (session === null) return null;
  const { absoluteTimeoutMs = Infinity, idleTimeoutMs = Infinity } = policy;
  if (now - session.beganAt >= absoluteTimeoutMs || now - session.usedAt >= idleTimeoutMs) return null;
  return endpoints.find(({ id }) => tokenOf(service, id) === session.token) ?? null;
}

/**
 * Makes the field of the response that begins a session at an endpoint. Only
 * for calls of which `read` found another endpoint or none: a session that
 * began anew with every response would never reach its absolute time-out.
 */
export function issue(policy: SessionPersistence, service: string, endpoint: string, now: Millis): Field {
  return fieldOf(policy, { token: tokenOf(service, endpoint), beganAt: now, usedAt: now }, now);
}

/**
 * Makes the field that tells a session of its latest call, so that it is not
 * idle from now on; `null` where no field is needed: without an idle
 * time-out, and within the second of the last one.
 */
export function renew(policy: SessionPersistence, headers: HeaderReader, now: Millis): Field | null {
  if (policy.idleTimeoutMs === undefined) return null;
  const session = parse(valueOf(policy, headers));
  if (session === null || seconds(session.usedAt) === seconds(now)) return null;
  return fieldOf(policy, { ...session, usedAt: now }, now);
}

/** What a client carries. */
interface Session {
  /** Stands for a service's endpoint. */
  readonly token: string;
  readonly beganAt: Millis;
  readonly usedAt: Millis;
}

function parse(value: string | null): Session | null {
  const [, token, begin = "", use = begin] =
    /^([0-9a-f]{16})\.([0-9a-z]{1,9})(?:\.([0-9a-z]{1,9}))?$/.exec(value ?? "") ?? [];
  if (token === undefined) return null;
  return { token, beganAt: parseInt(begin, 36) * 1_000, usedAt: parseInt(use, 36) * 1_000 };
}

function fieldOf(policy: SessionPersistence, session: Session, now: Millis): Field {
  const [began, used] = [seconds(session.beganAt), seconds(session.usedAt)];
  const value = `${session.token}.${began}${used === began ? "" : `.${used}`}`;
  if (policy.kind === "header") return { name: policy.name, value };
  const isPermanent = policy.lifetime === "permanent" && policy.absoluteTimeoutMs !== undefined;
  const maxAgeMs = isPermanent ? session.beganAt + (policy.absoluteTimeoutMs ?? 0) - now : null;
  return setCookie({ name: policy.name, value, path: policy.path, maxAgeMs });
}

/** Whole seconds since the epoch, in few characters. */
function seconds(at: Millis): string {
  return Math.floor(at / 1_000).toString(36);
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

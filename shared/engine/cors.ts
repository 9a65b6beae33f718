/**
 * Cross-origin resource sharing (Fetch standard), as Gateway API's
 * HTTPCORSFilter configures it: the mesh answers preflights itself and adds
 * to responses who may read them. Enforcement is the browser's.
 *
 * @module
 */
import type { MutableHeaders } from "./filter.ts";
import type { RequestView } from "./request.ts";

export interface Cors {
  /**
   * `*`, or `scheme://host[:port]` in lower case without a default port. A
   * `*` before the rest of the host stands for any labels: `https://*.a.test`.
   */
  readonly allowOrigins: readonly string[];
  readonly allowCredentials: boolean;
  /** Case-sensitive, or `*`. GET, HEAD and POST need no permission (Fetch standard). */
  readonly allowMethods: readonly string[];
  /** Of requests, or `*`. */
  readonly allowHeaders: readonly string[];
  /** Of responses, or `*`, which with credentials is no wildcard and therefore left out. */
  readonly exposeHeaders: readonly string[];
  /** How long a browser may remember a preflight. Gateway API's default is 5. */
  readonly maxAgeSeconds: number;
}

/** Header fields, names in lower case. */
export type Fields = readonly (readonly [name: string, value: string])[];

/**
 * Answers a preflight: the fields of a response with status 204, which tell
 * nothing but `vary` when the origin is not allowed. `null`: the request is
 * no preflight and goes its way.
 */
export function answer(cors: Cors, request: RequestView): Fields | null {
  const origin = request.headers.get("origin");
  const method = request.headers.get("access-control-request-method");
  if (request.method !== "OPTIONS" || origin === null || method === null) return null;
  const vary: Fields = [["vary", "origin, access-control-request-method, access-control-request-headers"]];
  if (!allows(cors, origin)) return vary;
  return [
    ...sharing(cors, origin),
    ...listed("access-control-allow-methods", cors, cors.allowMethods, method),
    ...listed(
      "access-control-allow-headers",
      cors,
      cors.allowHeaders,
      request.headers.get("access-control-request-headers"),
    ),
    ["access-control-max-age", String(cors.maxAgeSeconds)],
    ...vary,
  ];
}

/**
 * Adds to the response of an actual request whether its origin may read it,
 * in place of what the backend said about that. For an origin that is not
 * allowed, or none, nothing but `vary` is added: caches must not give one
 * origin's response to another.
 */
export function decorate(cors: Cors, request: RequestView, headers: MutableHeaders): void {
  const origin = request.headers.get("origin");
  if (!isForAll(cors)) addVary(headers);
  if (origin === null || !allows(cors, origin)) return;
  for (const [name, value] of sharing(cors, origin)) headers.set(name, value);
}

/** Whether an origin, as the header has it, is among those allowed. */
export function allows({ allowOrigins }: Cors, origin: string): boolean {
  const asked = parseOrigin(origin);
  return allowOrigins.some((allowed) => allowed === "*" || covers(parseOrigin(allowed), asked));
}

interface Origin {
  readonly scheme: string;
  readonly host: string;
  /** Empty for the scheme's own. */
  readonly port: string;
}

/** `null` for what is no tuple origin, such as `null` itself: only `*` allows it. */
function parseOrigin(text: string): Origin | null {
  const [, scheme, host, port = ""] =
    /^(https?):\/\/([a-z0-9.*_-]+|\[[0-9a-f:.]+\])(?::([0-9]+))?$/.exec(text.toLowerCase()) ?? [];
  if (scheme === undefined || host === undefined) return null;
  return { scheme, host, port: port === (scheme === "http" ? "80" : "443") ? "" : port };
}

function covers(allowed: Origin | null, asked: Origin | null): boolean {
  if (allowed === null || asked === null) return false;
  if (allowed.scheme !== asked.scheme || allowed.port !== asked.port) return false;
  if (!allowed.host.startsWith("*")) return allowed.host === asked.host;
  const rest = allowed.host.slice(1);
  return asked.host.length > rest.length && asked.host.endsWith(rest);
}

/** What both answers and decorated responses say. */
function sharing(cors: Cors, origin: string): Fields {
  return [
    ["access-control-allow-origin", isForAll(cors) ? "*" : origin],
    ...(cors.allowCredentials ? ([["access-control-allow-credentials", "true"]] as const) : []),
    ...listed("access-control-expose-headers", cors, cors.exposeHeaders, null),
  ];
}

/** Every origin gets the same response. With credentials `*` is no wildcard, so the origin must be named. */
function isForAll({ allowOrigins, allowCredentials }: Cors): boolean {
  return allowOrigins.includes("*") && !allowCredentials;
}

/** A list's field. With credentials, where `*` is no wildcard, it stands for what the browser asked for. */
function listed(
  name: string,
  { allowCredentials }: Cors,
  list: readonly string[],
  asked: string | null,
): Fields {
  if (!list.includes("*")) return list.length === 0 ? [] : [[name, list.join(", ")]];
  if (!allowCredentials) return [[name, "*"]];
  return asked === null ? [] : [[name, asked]];
}

function addVary(headers: MutableHeaders): void {
  const names = (headers.get("vary") ?? "").split(",").map((name) => name.trim().toLowerCase());
  if (!names.includes("origin") && !names.includes("*")) headers.append("vary", "origin");
}

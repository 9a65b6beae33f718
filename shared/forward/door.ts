/**
 * The door: reads a raw request into the one view that routing, policy,
 * forwarding and the log share, or refuses it.
 *
 * @module
 */
import * as headers from "../engine/headers.ts";
import { parseHost } from "../engine/host.ts";
import * as path from "../engine/path.ts";
import type { RequestView } from "../engine/request.ts";
import type { GatewayAddress } from "./gateway-address.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";

export interface Entry {
  readonly kind: "entry";
  readonly view: RequestView;
  /** Names of the fields that end at this hop, as far as the request has them. */
  readonly perHop: readonly string[];
  /** Names of the mesh's own fields that came from outside. */
  readonly owned: readonly string[];
  /** Names of the fields that tell of earlier hops. */
  readonly forwarding: readonly string[];
  /** How often the request has passed a host of the mesh. */
  readonly hops: number;
}

/** What the door looks at: a `Request` is one. */
export type RawRequest = Pick<Request, "method" | "url" | "headers">;

/**
 * Where a request comes from. A Worker names the host by the URL alone; a
 * Host header there was copied from some other request and means nothing.
 */
export type Source = "outside" | "worker";

/** Longest target: production refuses more before a Worker sees it. */
const MAX_TARGET = 16_384;
/** Names and values together; half of what production lets through. */
const MAX_HEADERS = 65_536;
/** Nine passes are a loop; an honest chain of services is shorter. Below the platform's own limit of 16. */
const MAX_HOPS = 8;

/**
 * Reads a request. The URL is taken apart as text: `new URL` would resolve
 * dot segments and backslashes before anybody looked at them, and take the
 * host after an `@`. `levelOf` tells the level of paths at the door that the
 * view, which has none yet, belongs to; without it every door is strict.
 */
export function read(request: RawRequest, source: Source, levelOf?: LevelOf): Entry | Refusal {
  const { scheme, authority, target } = dissect(request.url);
  if (target.length > MAX_TARGET) return refuse("path.too_long", `At most ${MAX_TARGET} characters.`);
  const host = parseHost(authority, scheme);
  const isAmbiguous = source === "outside" && !isSameHost(request, authority, scheme);
  if (host.kind === "reject" || isAmbiguous)
    return refuse("host.invalid", "Send one Host header with a host name and, if need be, a port.");
  const { method, headers } = request;
  const view = { method, scheme, authority, host: host.host, port: host.port, path: "", query: "", headers };
  const canonical = path.canonicalize(target, levelOf === undefined ? "strict" : levelOf(view));
  if (canonical.kind === "reject") return ambiguous(canonical.code);
  // At the strict level nothing of the kind is left.
  if (levelOf !== undefined && CHANGED_ON.test(canonical.path)) return ambiguous("path.noncanonical");
  view.path = canonical.path;
  view.query = canonical.query;
  return inspect(view, headers);
}

/** The level of paths at the door that a request comes to. */
export type LevelOf = (view: RequestView) => path.PathLevel;

/**
 * What the platform changes when it sends a request on, at whatever level a
 * path was read: dot segments are resolved and backslashes turned. The
 * backend would see another path than routes and policies did.
 */
const CHANGED_ON = /\\|\/(?:\.|%2e){1,2}(?:\/|$)/i;

function ambiguous(code: path.PathProblem): Refusal {
  return refuse(code, "Send an absolute path without dot segments, backslashes or hidden separators.");
}

/** The entry as it was at the address that a front took it at: the client called that port, by that scheme. */
export function at(entry: Entry, { port, scheme }: GatewayAddress): Entry {
  return { ...entry, view: { ...entry.view, port, scheme } };
}

/** The authority of a URL, as it stands there. */
export function authorityOf(url: string): string {
  return dissect(url).authority;
}

/** Cuts a URL behind its authority without interpreting any of it. */
function dissect(url: string): { scheme: "http" | "https"; authority: string; target: string } {
  const start = url.indexOf("://") + 3;
  let end = start;
  while (end < url.length && !"/?#\\".includes(url.charAt(end))) end++;
  const hash = url.indexOf("#", end);
  return {
    scheme: url.startsWith("https:") ? "https" : "http",
    authority: url.slice(start, end),
    target: hash === -1 ? url.slice(end) : url.slice(end, hash),
  };
}

/** A Host header, where the platform shows one, must say what the URL says: a host such as `a/b` would be cut. */
function isSameHost(request: RawRequest, authority: string, scheme: "http" | "https"): boolean {
  const header = request.headers.get("host");
  if (header === null || header === authority) return true;
  const [named, called] = [parseHost(header, scheme), parseHost(authority, scheme)];
  return (
    named.kind === "ok" && called.kind === "ok" && named.host === called.host && named.port === called.port
  );
}

function inspect(view: RequestView, fields: Headers): Entry | Refusal {
  const entries: (readonly [string, string])[] = [];
  let size = 0;
  // Not a spread: its iterator crosses into the runtime for every field, which makes a call at the edge 3 % dearer.
  fields.forEach((value, name) => {
    entries.push([name, value]);
    size += name.length + value.length;
  });
  if (size > MAX_HEADERS) return refuse("header.too_large", `At most ${MAX_HEADERS} bytes in all.`);
  const inspection = headers.inspectHeaders(entries);
  if (inspection.kind === "reject")
    return refuse(inspection.code, `Check the header ${inspection.header.slice(0, 64)}.`);
  const hops = hopsOf(fields);
  if (hops > MAX_HOPS) return refuse("loop.detected", `The request has passed the mesh ${MAX_HOPS} times.`);
  return { kind: "entry", view, ...sorted(entries, inspection.named), hops };
}

/** Sorts the names of fields that do not simply go on, in one pass: most requests have none. */
function sorted(
  entries: readonly (readonly [string, string])[],
  named: readonly string[],
): Pick<Entry, "perHop" | "owned" | "forwarding"> {
  const perHop: string[] = [];
  const owned: string[] = [];
  const forwarding: string[] = [];
  for (const [name] of entries) {
    if (headers.isHopByHop(name) || named.includes(name)) perHop.push(name);
    if (headers.isOwned(name)) owned.push(name);
    if (headers.isForwarding(name)) forwarding.push(name);
  }
  return { perHop, owned, forwarding };
}

/** A count that is no number comes from outside: whoever wrote it gets no further. */
function hopsOf(fields: Headers): number {
  const text = fields.get("x-selvedge-hops");
  if (text === null) return 0;
  return /^[0-9]{1,2}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
}

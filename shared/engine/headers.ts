/**
 * Header names that mean something to the mesh, and the check that a
 * request's headers can be understood in one way only. Names are in lower
 * case everywhere here, as a platform `Headers` yields them.
 *
 * @module
 */

/** Whether a request's headers can be understood in one way only, and what ends at this hop. */
export type HeaderInspection =
  | {
      readonly kind: "ok";
      /**
       * What `Connection` named, in lower case: these headers end at this hop
       * (RFC 9110 §7.6.1). Options that are no header, such as `close`, are among them.
       */
      readonly named: readonly string[];
    }
  | {
      readonly kind: "reject";
      readonly code: "header.hopbyhop" | "header.invalid";
      /** The header at fault. */
      readonly header: string;
    };

/** What the mesh says about a caller or a call. Never taken from outside. */
const OWNED_PREFIX = "x-selvedge-";
const OWNED = new Set(["x-forwarded-client-cert", "client-cert", "client-cert-chain"]);

const FORWARDING = new Set([
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-real-ip",
]);

/** RFC 9110 §7.6.1, RFC 7540 §3.2.1 (`http2-settings`), and `proxy-connection`, which old clients send. */
const HOP_BY_HOP = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Headers that a decision or a backend relies on: a client that could remove them could change what was decided. */
const RELIED_ON = new Set([
  "authorization",
  "cf-connecting-ip",
  "content-length",
  "content-type",
  "cookie",
  "host",
]);

/** More names than any honest client lists; Envoy's limit. */
const MAX_NAMED = 10;

const NONE: HeaderInspection = { kind: "ok", named: [] };
/** What nearly every HTTP/1.1 client sends. */
const KEEP_ALIVE: HeaderInspection = { kind: "ok", named: ["keep-alive"] };

/** Whether a header concerns one connection only and is never forwarded. `upgrade` is the host's to carry on. */
export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name);
}

/** Whether a header is the mesh's own: removed from what comes from outside, before anything is added. */
export function isOwned(name: string): boolean {
  return name.startsWith(OWNED_PREFIX) || OWNED.has(name);
}

/** Whether a header tells of earlier hops: only a trusted hop may have set it. */
export function isForwarding(name: string): boolean {
  return FORWARDING.has(name);
}

/**
 * Refuses headers that two readers could understand differently:
 *
 * - `Connection` naming a header that is not its to remove (`header.hopbyhop`);
 * - an underscore for a dash in a name that matters, because CGI-like backends
 *   take both for the same variable (`header.invalid`);
 * - `host`, `authorization`, `content-length` or `content-type` more than
 *   once (`header.invalid`), be it as two entries or as one value that was
 *   joined by commas. Of `authorization` a joined value is told by the
 *   schemes Bearer, Basic and Negotiate, whose credentials have no comma.
 */
export function inspectHeaders(entries: Iterable<readonly [string, string]>): HeaderInspection {
  let connection = "";
  const singletons = new Set<string>();
  for (const [name, value] of entries) {
    if (name === "connection") connection = connection === "" ? value : `${connection},${value}`;
    else if (isAlias(name) || isRepeated(name, value)) return invalid(name);
    else if (isSingleton(name)) {
      if (singletons.has(name)) return invalid(name);
      singletons.add(name);
    }
  }
  return connection === "" ? NONE : inspectConnection(connection);
}

function invalid(header: string): HeaderInspection {
  return { kind: "reject", code: "header.invalid", header };
}

function isAlias(name: string): boolean {
  return name.includes("_") && isProtected(name.replaceAll("_", "-"));
}

function isProtected(name: string): boolean {
  return isOwned(name) || isForwarding(name) || RELIED_ON.has(name);
}

function isSingleton(name: string): boolean {
  return name === "host" || name === "authorization" || name === "content-length" || name === "content-type";
}

/** Whether a value can only be two header lines joined, or is not one value of its kind. */
function isRepeated(name: string, value: string): boolean {
  switch (name) {
    case "host":
      return value.includes(",");
    case "content-length":
      return !/^[0-9]+$/.test(value);
    case "content-type":
      return value.includes(",") && withoutQuoted(value).includes(",");
    case "authorization":
      return /^(?:bearer|basic|negotiate)\s[^,]*,|,\s*(?:bearer|basic|negotiate)\s/i.test(value);
    default:
      return false;
  }
}

/** Cuts quoted strings (RFC 9110 §5.6.4). One that never ends is no string and stays. */
function withoutQuoted(value: string): string {
  let rest = "";
  let from = 0;
  for (let open = value.indexOf('"'); open !== -1; open = value.indexOf('"', from)) {
    const close = closingQuote(value, open);
    if (close === -1) break;
    rest += value.slice(from, open);
    from = close + 1;
  }
  return rest + value.slice(from);
}

function closingQuote(value: string, open: number): number {
  for (let at = open + 1; at < value.length; at++) {
    if (value[at] === "\\") at++;
    else if (value[at] === '"') return at;
  }
  return -1;
}

function inspectConnection(value: string): HeaderInspection {
  if (value === "keep-alive") return KEEP_ALIVE;
  const named: string[] = [];
  for (const part of value.split(",")) {
    const name = part.trim().toLowerCase();
    // A list may have empty elements (RFC 9110 §5.6.1).
    if (name === "") continue;
    if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)) return invalid("connection");
    named.push(name);
    if (named.length > MAX_NAMED || isProtected(name.replaceAll("_", "-"))) {
      return { kind: "reject", code: "header.hopbyhop", header: name };
    }
  }
  return { kind: "ok", named };
}

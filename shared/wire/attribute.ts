/**
 * Names of what a condition of an AuthorizationPolicy compares (Istio's
 * authorization policy conditions).
 *
 * @module
 */

export type Attribute =
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "claim"; readonly path: readonly string[] }
  | { readonly kind: "address"; readonly of: "source-address" | "remote-address" }
  | { readonly kind: "port" }
  | { readonly kind: "text"; readonly of: "principal" | "namespace" | "audience" | "presenter" }
  | { readonly kind: "service-account" }
  | { readonly kind: "user" }
  /** Nothing that the mesh could see. */
  | { readonly kind: "unknown"; readonly of: "destination.ip" | "connection.sni" };

const PLAIN: Readonly<Record<string, Attribute>> = {
  "source.ip": { kind: "address", of: "source-address" },
  "remote.ip": { kind: "address", of: "remote-address" },
  "source.namespace": { kind: "text", of: "namespace" },
  "source.principal": { kind: "text", of: "principal" },
  "source.serviceAccount": { kind: "service-account" },
  "request.auth.principal": { kind: "user" },
  "request.auth.audiences": { kind: "text", of: "audience" },
  "request.auth.presenter": { kind: "text", of: "presenter" },
  "destination.ip": { kind: "unknown", of: "destination.ip" },
  "destination.port": { kind: "port" },
  "connection.sni": { kind: "unknown", of: "connection.sni" },
};

/** What `key` may be, as a message lists it. */
export const ATTRIBUTES = ["request.headers[name]", "request.auth.claims[name]", ...Object.keys(PLAIN)].join(
  ", ",
);

/** Reads the key of a condition; `null` when it names nothing. */
export function parseAttribute(key: string): Attribute | null {
  if (Object.hasOwn(PLAIN, key)) return PLAIN[key] ?? null;
  const header = /^request\.headers\[([!#$%&'*+\-.^_`|~0-9A-Za-z]+)\]$/.exec(key);
  if (header !== null) return { kind: "header", name: (header[1] ?? "").toLowerCase() };
  const claim = /^request\.auth\.claims((?:\[[^[\]]+\])+)$/.exec(key);
  return claim === null ? null : { kind: "claim", path: (claim[1] ?? "").slice(1, -1).split("][") };
}

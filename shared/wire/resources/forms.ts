/**
 * Forms of documents besides the one that every kind here has.
 *
 * @module
 */
import { isPlainObject } from "../shape.ts";

type Fields = Readonly<Record<string, unknown>>;

/**
 * A document in the one form: a Gateway of Istio's under the kind that it has
 * here, and a config entry as Consul's own tools write it (`Kind:
 * service-router`, `Name: web`) in the form that Consul has for Kubernetes.
 */
export function formOf(document: Fields): Fields {
  const { apiVersion, kind } = document;
  if (kind === "Gateway" && typeof apiVersion === "string" && apiVersion.startsWith("networking.istio.io/")) {
    return { ...document, kind: "IstioGateway" };
  }
  return isConfigEntry(document) ? customResourceOf(document) : document;
}

const ENTRIES: Readonly<Record<string, string>> = {
  "service-defaults": "ServiceDefaults",
  "service-intentions": "ServiceIntentions",
  "service-resolver": "ServiceResolver",
  "service-router": "ServiceRouter",
  "service-splitter": "ServiceSplitter",
};

/** Either spelling of the key; the value tells a config entry from everything else. */
function kindOf(entry: Fields): unknown {
  return entry["Kind"] ?? entry["kind"];
}

function isConfigEntry(document: Fields): boolean {
  const kind = kindOf(document);
  return typeof kind === "string" && Object.hasOwn(ENTRIES, kind);
}

/** Written by the server, or about a cluster's own bookkeeping. */
const DROPPED = new Set(["createIndex", "modifyIndex", "hash", "meta", "partition"]);

/** An entry's name is that of the service that it is about; `*` cannot be the name of a resource. */
function customResourceOf(entry: Fields): Fields {
  const { kind, name, namespace, ...fields } = camelFields(entry);
  const spec = Object.fromEntries(Object.entries(fields).filter(([key]) => !DROPPED.has(key)));
  const isIntentions = kind === "service-intentions";
  const destination = isIntentions ? { destination: { name } } : {};
  return {
    apiVersion: "consul.hashicorp.com/v1alpha1",
    kind: ENTRIES[String(kind)],
    metadata: {
      name: name === "*" ? "all-services" : name,
      ...(namespace === undefined ? {} : { namespace }),
    },
    spec: { ...destination, ...spec },
  };
}

/** Maps whose keys are names that people give: they keep their spelling. */
const NAMED = new Set(["subsets", "failover", "add", "set"]);

/** Consul spells keys as `PathPrefix` or `path_prefix`, its custom resources as `pathPrefix`. */
function camelFields(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => {
      const name = camel(key);
      if (!NAMED.has(name) || !isPlainObject(value)) return [name, camelValue(value)];
      return [
        name,
        Object.fromEntries(Object.entries(value).map(([own, inner]) => [own, camelValue(inner)])),
      ];
    }),
  );
}

function camelValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelValue);
  return isPlainObject(value) ? camelFields(value) : value;
}

/** `HTTP` → `http`, `SourceIP` → `sourceIP`, `TTL` → `ttl`, `num_retries` → `numRetries`. */
function camel(key: string): string {
  const joined = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return joined.replace(/^[A-Z]+(?![a-z])|^[A-Z]/, (head) => head.toLowerCase());
}

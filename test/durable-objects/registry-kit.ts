/**
 * Documents and shorthands for tests of the registry.
 *
 * @module
 */
import { env } from "cloudflare:workers";
import { evictAllDurableObjects, runInDurableObject } from "cloudflare:test";
import { registryOf } from "../../durable-objects/env.ts";
import type { Outcome } from "../../shared/wire/problem.ts";
import type { ResourceRef } from "../../shared/wire/resource.ts";
import type { ApplyAnswer, ApplyRequest } from "../../shared/wire/registry-rpc.ts";

/** A document as a person writes it. */
export interface Document {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

export function service(name: string, port = 80): Document {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "shop" },
    spec: { selector: { app: name }, ports: [{ name: "http", port }] },
  };
}

export function endpoint(name: string, app: string, address = `https://${name}.example`): Document {
  return {
    apiVersion: "selvedge.dev/v1",
    kind: "Endpoint",
    metadata: { name, namespace: "shop", labels: { app } },
    spec: { address },
  };
}

export function gateway(name: string): Document {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name, namespace: "shop" },
    spec: { gatewayClassName: "selvedge", listeners: [{ name: "http", port: 80, protocol: "HTTP" }] },
  };
}

/** A route for calls to a service that sends them to other services. */
export function meshRoute(parent: string, backends: readonly string[]): Document {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: `${parent}-route`, namespace: "shop" },
    spec: {
      parentRefs: [{ group: "", kind: "Service", name: parent }],
      rules: [{ backendRefs: backends.map((name) => ({ name, port: 80 })) }],
    },
  };
}

export function labelled(document: Document, labels: Readonly<Record<string, string>>): Document {
  return { ...document, metadata: { ...document.metadata, labels } };
}

export function refTo({ apiVersion, kind, metadata: { namespace, name } }: Document): ResourceRef {
  return { apiVersion, kind, namespace, name };
}

/** The mesh's registry: a new stub for every use, as hosts do. */
export const registry = () => registryOf(env);

export const stub = () => env.REGISTRY.getByName("mesh");

/** Drops the memory of all objects; the next call starts from storage. */
export const evict = () => evictAllDurableObjects();

/** An RPC's promise answers to every name, so that `expect` takes it for something else: a plain one instead. */
export async function settled<T>(call: () => Promise<T>): Promise<T> {
  return await call();
}

export function apply(
  documents: readonly unknown[],
  request: Partial<ApplyRequest> = {},
): Promise<Outcome<ApplyAnswer>> {
  return registry().apply({ documents, author: "ada", ...request });
}

/** The value of an outcome that must be one. */
export function valueOf<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.problem));
  return outcome.value;
}

export function exec(statement: string): Promise<Record<string, SqlStorageValue>[]> {
  return runInDurableObject(stub(), (_, state) => [...state.storage.sql.exec(statement)]);
}

/** What must be the same before and after a change that did not happen: storage and what is served from memory. */
export async function everything(): Promise<unknown> {
  return {
    status: await registry().status(),
    services: await registry().services(null),
    resources: await registry().list({}),
    revisions: await registry().revisions(1_000),
    units: await exec("SELECT * FROM units ORDER BY key"),
    published: await exec("SELECT * FROM published ORDER BY topic, service"),
    changes: await exec("SELECT * FROM changes ORDER BY revision, key"),
  };
}

/**
 * Resources: configuration documents in the Kubernetes shape.
 *
 * @module
 */
import { z } from "zod";

/** A DNS label (RFC 1123), as Kubernetes uses it for namespaces and service names. */
export const label = z
  .string()
  .max(63, "at most 63 characters")
  .regex(
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/,
    "use lower-case letters, digits and '-', beginning and ending with a letter or digit",
  );

/** A DNS subdomain (RFC 1123): the name of most resources. */
export const subdomain = z
  .string()
  .max(253, "at most 253 characters")
  .regex(
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
    "use lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit",
  );

/** Identifies a resource. `namespace` is empty for kinds that have none. */
export interface ResourceRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Kubernetes' `metadata`, as far as it means something here. Written by the registry: uid, generation, time. */
export interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Changes when a resource of the same name is made anew. */
  readonly uid: string;
  /** Counts changes of `spec`, from 1. */
  readonly generation: number;
  /** RFC 3339. */
  readonly creationTimestamp: string;
}

/** A stored resource: validated, with defaults filled in. */
export interface Resource<Spec = unknown> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly spec: Spec;
  /** What became of it, as its kind defines it: told when it is read, never stored. Absent for kinds that have none. */
  readonly status?: unknown;
}

/** `kind/namespace/name`, with the group where two kinds could share a name: unique for every resource. */
export function resourceKey(ref: ResourceRef): string {
  const group = ref.apiVersion.includes("/") ? ref.apiVersion.slice(0, ref.apiVersion.indexOf("/")) : "";
  return `${group}/${ref.kind}/${ref.namespace}/${ref.name}`;
}

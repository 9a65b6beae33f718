/**
 * References to certificates: whether they lead to one. What is in a
 * certificate is the platform's to use; here only its presence counts.
 *
 * @module
 */
import type { Resource } from "../wire/resource.ts";
import type { CertificateRef } from "../wire/resources/references.ts";
import type { HeldValues } from "../wire/resources/secret.ts";
import { mayRefer, type Referrer } from "./grants.ts";
import { spaceOf, type World } from "./state.ts";

/** What is wrong with a reference. */
export interface RefFault {
  readonly kind: "forbidden" | "unknown-kind" | "invalid";
  readonly message: string;
}

/** Why a reference to a certificate with its key leads nowhere, or `null`. Kubernetes keeps both in a Secret. */
export function faultOfCertificate(world: World, from: Referrer, ref: CertificateRef): RefFault | null {
  return (
    faultOfRef(world, from, ref, ["Secret"]) ??
    faultOfHeld(find(world, from, ref), ref, { "tls.crt": "certificate", "tls.key": "key" })
  );
}

/** The same for the certificate of an authority, in a ConfigMap or a Secret. */
export function faultOfAuthority(world: World, from: Referrer, ref: CertificateRef): RefFault | null {
  return (
    faultOfRef(world, from, ref, ["ConfigMap", "Secret"]) ??
    faultOfHeld(find(world, from, ref), ref, { "ca.crt": "certificate" })
  );
}

function faultOfRef(
  world: World,
  from: Referrer,
  { group, kind, namespace = from.namespace, name }: CertificateRef,
  kinds: readonly string[],
): RefFault | null {
  if (group !== "" || !kinds.includes(kind)) {
    return { kind: "unknown-kind", message: `${kind} ${name} is none of ${kinds.join(", ")}` };
  }
  // Before anything is told of it: the one who may not refer learns nothing.
  if (mayRefer(world, from, { group, kind, namespace, name })) return null;
  return {
    kind: "forbidden",
    message: `no ReferenceGrant in ${namespace} lets ${from.kind}s of ${from.namespace} use ${kind} ${name}`,
  };
}

function find(
  world: World,
  from: Referrer,
  { kind, namespace = from.namespace, name }: CertificateRef,
): Resource<HeldValues> | undefined {
  const { secrets, configMaps } = spaceOf(world, namespace);
  return (kind === "Secret" ? secrets : configMaps).get(name);
}

function faultOfHeld(
  resource: Resource<HeldValues> | undefined,
  { kind, name }: CertificateRef,
  wanted: HeldValues["holds"],
): RefFault | null {
  if (resource === undefined) return { kind: "invalid", message: `${kind} ${name} does not exist` };
  const missing = Object.entries(wanted).find(([key, form]) => resource.spec.holds[key] !== form);
  if (missing === undefined) return null;
  return { kind: "invalid", message: `${kind} ${name} has no ${missing[1]} in PEM under ${missing[0]}` };
}

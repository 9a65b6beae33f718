/**
 * References to other resources, and ReferenceGrant: what a namespace lets
 * others refer to.
 *
 * @module
 */
import { z } from "zod";
import { label, subdomain } from "../resource.ts";

const group = z.string().max(253);
const kind = z.string().min(1).max(63);

/** A reference to a Secret or ConfigMap with a certificate; other kinds are told by status. */
export const certificateRef = z.strictObject({
  group: group.default(""),
  kind: kind.default("Secret"),
  namespace: label.optional(),
  name: subdomain,
});

/** The same without a default: certificates of authorities are in ConfigMaps most often. */
export const authorityRef = z.strictObject({ group, kind, namespace: label.optional(), name: subdomain });

/** Stands in the namespace that is referred to, and holds for all of `from` together with all of `to`. */
export const referenceGrantSpec = z.strictObject({
  from: z
    .array(z.strictObject({ group, kind, namespace: label }))
    .min(1)
    .max(16),
  /** Without a name: all of the kind. */
  to: z
    .array(z.strictObject({ group, kind, name: subdomain.optional() }))
    .min(1)
    .max(16),
});

export type CertificateRef = z.output<typeof certificateRef>;
export type ReferenceGrantSpec = z.output<typeof referenceGrantSpec>;

/**
 * Gateway API's BackendTLSPolicy: a Service whose endpoints are called by TLS only.
 *
 * @module
 */
import { z } from "zod";
import { subdomain } from "../resource.ts";
import { inert, preciseHostname, unique } from "./fields.ts";
import { authorityRef } from "./references.ts";

const validation = z
  .strictObject({
    caCertificateRefs: z.array(authorityRef).max(8).default([]),
    wellKnownCACertificates: z.enum(["System"]).optional(),
    /** The name that the certificate must have. */
    hostname: preciseHostname,
    subjectAltNames: inert,
  })
  .refine(
    ({ caCertificateRefs, wellKnownCACertificates }) =>
      caCertificateRefs.length > 0 !== (wellKnownCACertificates !== undefined),
    { path: ["caCertificateRefs"], error: "give either caCertificateRefs or wellKnownCACertificates" },
  );

/**
 * The platform calls origins and checks their certificates by the authorities
 * that it trusts and by the host name of the address; what is promised here
 * is that nothing goes out in plain text.
 */
export const backendTlsPolicySpec = z.strictObject({
  targetRefs: z
    .array(
      z.strictObject({
        group: z.literal("", { error: 'must be "", the group of Service' }),
        kind: z.literal("Service", { error: "must be Service" }),
        name: subdomain,
        /** A port by name. */
        sectionName: subdomain.optional(),
      }),
    )
    .min(1)
    .max(16)
    .superRefine(unique(({ name, sectionName }) => `${name} ${sectionName ?? ""}`, ["name"])),
  validation,
  options: inert,
});

export type BackendTlsPolicySpec = z.output<typeof backendTlsPolicySpec>;

/**
 * Listeners, as Gateways and ListenerSets have them.
 *
 * @module
 */
import { z } from "zod";
import { hostname, inert, labels, port } from "./fields.ts";
import { subdomain } from "../resource.ts";
import { certificateRef } from "./references.ts";

/** Kubernetes' label selector. */
export const labelSelector = z.strictObject({
  matchLabels: labels.default({}),
  matchExpressions: z
    .array(
      z
        .strictObject({
          key: z.string().min(1),
          operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]),
          values: z.array(z.string()).default([]),
        })
        .refine(({ operator, values }) => operator.endsWith("In") === values.length > 0, {
          path: ["values"],
          error: "In and NotIn take at least one value; Exists and DoesNotExist take none",
        }),
    )
    .default([]),
});

const allowedRoutes = z.strictObject({
  namespaces: z
    .strictObject({
      from: z.enum(["All", "Same", "Selector", "None"]).default("Same"),
      selector: labelSelector.optional(),
    })
    .refine(({ from, selector }) => (from === "Selector") === (selector !== undefined), {
      path: ["selector"],
      error: "goes with from: Selector, and only with it",
    })
    .default({ from: "Same" }),
  /** Empty: whatever the protocol carries. */
  kinds: z
    .array(z.strictObject({ group: z.string().default("gateway.networking.k8s.io"), kind: z.string() }))
    .max(8)
    .default([]),
});

/** The platform ends TLS and owns the certificates: whether references lead somewhere is told by status. */
const listenerTls = z.strictObject({
  mode: z.enum(["Terminate", "Passthrough"]).default("Terminate"),
  certificateRefs: z.array(certificateRef).max(64).default([]),
  options: inert,
});

/** A protocol that is not carried is told by status, so that the other listeners work. */
const protocol = z
  .string()
  .max(255)
  .regex(
    /^([A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?|[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/[A-Za-z0-9]+)$/,
    "must be HTTP, HTTPS, TLS, TCP or another name of a protocol",
  );

export const listener = z
  .strictObject({
    name: subdomain,
    /** Absent: every host. */
    hostname: hostname.optional(),
    port,
    protocol,
    tls: listenerTls.optional(),
    allowedRoutes: allowedRoutes.default({ namespaces: { from: "Same" }, kinds: [] }),
  })
  .refine(({ protocol: name, tls }) => !["HTTP", "TCP", "UDP"].includes(name) || tls === undefined, {
    path: ["tls"],
    error: "goes with protocol: HTTPS or TLS only",
  })
  .refine(({ protocol: name, tls }) => name !== "HTTPS" || tls?.mode !== "Passthrough", {
    path: ["tls", "mode"],
    error: "must be Terminate for protocol: HTTPS",
  })
  .refine(({ protocol: name, hostname: host }) => !["TCP", "UDP"].includes(name) || host === undefined, {
    path: ["hostname"],
    error: "goes with HTTP, HTTPS and TLS only",
  });

/** A listener's place: no two of one resource may have the same. */
export function placeOf({ port: number, protocol: name, hostname: host }: ListenerSpec): string {
  return `${number} ${name} ${host ?? "*"}`;
}

export type ListenerSpec = z.output<typeof listener>;
export type LabelSelector = z.output<typeof labelSelector>;

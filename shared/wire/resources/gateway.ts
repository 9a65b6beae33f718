/**
 * Gateway API's Gateway: the doors through which calls enter the mesh.
 *
 * @module
 */
import { z } from "zod";
import { hostname, inert, labels, notYet, port, unique } from "./fields.ts";
import { subdomain } from "../resource.ts";

const labelSelector = z.strictObject({
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

/** The platform ends TLS and owns the certificates, so that references to them are accepted and not followed. */
const listenerTls = z.strictObject({
  mode: z
    .enum(["Terminate"], { error: "not supported yet: modes other than Terminate" })
    .default("Terminate"),
  certificateRefs: inert,
  options: inert,
  frontendValidation: notYet("client certificates at a listener"),
});

const listener = z
  .strictObject({
    name: subdomain,
    /** Absent: every host. */
    hostname: hostname.optional(),
    port,
    protocol: z.enum(["HTTP", "HTTPS"], { error: "must be HTTP or HTTPS; others are not supported yet" }),
    tls: listenerTls.optional(),
    allowedRoutes: allowedRoutes.default({ namespaces: { from: "Same" }, kinds: [] }),
  })
  .refine(({ protocol, tls }) => protocol === "HTTPS" || tls === undefined, {
    path: ["tls"],
    error: "goes with protocol: HTTPS only",
  });

/** Limits are Gateway API's: 64 listeners, each with a name and a place of its own. */
export const gatewaySpec = z.strictObject({
  /** Any class: there is one implementation. */
  gatewayClassName: z.string().min(1),
  listeners: z
    .array(listener)
    .min(1)
    .max(64)
    .superRefine(unique(({ name }) => name, ["name"]))
    .superRefine(unique(({ port, protocol, hostname }) => `${port} ${protocol} ${hostname ?? "*"}`)),
  addresses: inert,
  infrastructure: inert,
  tls: notYet("certificates of the gateway itself"),
  allowedListeners: notYet("ListenerSet"),
});

export type GatewaySpec = z.output<typeof gatewaySpec>;
export type GatewayListener = GatewaySpec["listeners"][number];
export type LabelSelector = z.output<typeof labelSelector>;

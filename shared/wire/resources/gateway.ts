/**
 * Gateway API's Gateway: the doors through which calls enter the mesh.
 *
 * @module
 */
import { z } from "zod";
import { inert, labels, notYet, port, unique } from "./fields.ts";
import { labelSelector, listener, placeOf } from "./listener.ts";
import { authorityRef, certificateRef } from "./references.ts";

/** Clients must have a certificate of one of these authorities. */
const frontend = z.strictObject({
  validation: z
    .strictObject({
      caCertificateRefs: z.array(authorityRef).min(1).max(8),
      mode: z
        .enum(["AllowValidOnly"], { error: "not supported yet: AllowInsecureFallback" })
        .default("AllowValidOnly"),
    })
    .optional(),
});

const gatewayTls = z.strictObject({
  /** The gateway's own certificate towards backends. */
  backend: z.strictObject({ clientCertificateRef: certificateRef.optional() }).optional(),
  frontend: z
    .strictObject({
      default: frontend,
      perPort: z
        .array(z.strictObject({ port, tls: frontend }))
        .max(64)
        .default([])
        .superRefine(unique((one) => String(one.port), ["port"])),
    })
    .optional(),
});

/** Which ListenerSets may add listeners. */
const allowedListeners = z.strictObject({
  namespaces: z
    .strictObject({
      from: z.enum(["All", "Same", "Selector", "None"]).default("None"),
      selector: labelSelector.optional(),
    })
    .refine(({ from, selector }) => (from === "Selector") === (selector !== undefined), {
      path: ["selector"],
      error: "goes with from: Selector, and only with it",
    })
    .default({ from: "None" }),
});

/** Refers to what only this mesh could know, and knows none of. Told by status. */
const parametersRef = z.strictObject({
  group: z.string().max(253),
  kind: z.string().min(1).max(63),
  name: z.string().min(1).max(253),
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
    .superRefine(unique(placeOf)),
  addresses: z
    .array(
      z.strictObject({
        type: z.string().min(1).max(253).default("IPAddress"),
        value: z.string().max(253).default(""),
      }),
    )
    .max(16)
    .default([]),
  infrastructure: z
    .strictObject({ labels: labels.optional(), annotations: inert, parametersRef: parametersRef.optional() })
    .optional(),
  tls: gatewayTls.optional(),
  allowedListeners: allowedListeners.default({ namespaces: { from: "None" } }),
  defaultScope: notYet("routes name their Gateway in parentRefs"),
});

export type GatewaySpec = z.output<typeof gatewaySpec>;
export type GatewayListener = GatewaySpec["listeners"][number];
export type { LabelSelector } from "./listener.ts";

/**
 * Gateway API's ListenerSet: listeners that others add to a Gateway.
 *
 * @module
 */
import { z } from "zod";
import { label, subdomain } from "../resource.ts";
import { unique } from "./fields.ts";
import { listener, placeOf } from "./listener.ts";

const GROUP = "gateway.networking.k8s.io";

export const listenerSetSpec = z.strictObject({
  parentRef: z.strictObject({
    group: z.literal(GROUP, { error: `must be ${GROUP}` }).default(GROUP),
    kind: z.literal("Gateway", { error: "must be Gateway" }).default("Gateway"),
    namespace: label.optional(),
    name: subdomain,
  }),
  listeners: z
    .array(listener)
    .min(1)
    .max(64)
    .superRefine(unique(({ name }) => name, ["name"]))
    .superRefine(unique(placeOf)),
});

export type ListenerSetSpec = z.output<typeof listenerSetSpec>;

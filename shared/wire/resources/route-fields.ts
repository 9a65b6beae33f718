/**
 * What all kinds of Gateway API's routes have: parents, host names, backends.
 *
 * @module
 */
import { z } from "zod";
import { label, subdomain } from "../resource.ts";
import { hostname, notYet, port, unique } from "./fields.ts";
import { backendFilters, target } from "./http-filter.ts";

const GATEWAY_GROUP = "gateway.networking.k8s.io";

const parentRef = z
  .strictObject({
    group: z.string().default(GATEWAY_GROUP),
    kind: z
      .enum(["Gateway", "ListenerSet", "Service"], { error: "must be Gateway, ListenerSet or Service" })
      .default("Gateway"),
    namespace: label.optional(),
    name: subdomain,
    /** A listener, or a Service's port by name. */
    sectionName: subdomain.optional(),
    port: port.optional(),
  })
  .refine(({ group, kind }) => group === (kind === "Service" ? "" : GATEWAY_GROUP), {
    path: ["group"],
    error: `must be "" for a Service and ${GATEWAY_GROUP} for others`,
  });

/** What a route attaches to: Gateways and ListenerSets for calls from outside, Services for calls inside (GAMMA). */
export const parentRefs = z
  .array(parentRef)
  .max(32)
  .default([])
  .superRefine(
    unique(({ kind, namespace, name, sectionName, port }) =>
      [kind, namespace, name, sectionName, port].map((part) => part ?? "").join(" "),
    ),
  );

/** Host names for which a route holds; none: every one of its listeners'. */
export const hostnames = z
  .array(hostname)
  .max(16)
  .default([])
  .superRefine(unique((name) => name));

/** Gateway API's scope for routes that name no gateway; `None` is its default. */
export const useDefaultGateways = z
  .enum(["None"], { error: "not supported yet: name the Gateway in parentRefs" })
  .optional();

const weight = z.int().min(0).max(1_000_000).default(1);

/** A backend and its share. */
export const backendRef = z.strictObject({ ...target, weight, filters: backendFilters });

/** A backend of a stream: nothing of it can be filtered. */
export const streamBackendRef = z
  .strictObject({ ...target, weight, filters: notYet("filters for streams") })
  .refine(({ group, kind, port }) => group !== "" || kind !== "Service" || port !== undefined, {
    path: ["port"],
    error: "is required for a Service",
  });

export type ParentRef = z.output<typeof parentRef>;

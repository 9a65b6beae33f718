/**
 * Fields that kinds of Istio's networking API share.
 *
 * @module
 */
import { z } from "zod";
import { label } from "../resource.ts";
import { headerName, localityText, port } from "./fields.ts";

/** One of `exact`, `prefix` and `regex`, or nothing of them: present, whatever the value. */
export const stringMatch = z
  .strictObject({
    exact: z.string().max(1024).optional(),
    prefix: z.string().max(1024).optional(),
    regex: z.string().max(256).optional(),
  })
  .refine((match) => Object.keys(match).length <= 1, "takes one of exact, prefix and regex");

/** A match may be empty, also written as null: present. */
const valueMatch = stringMatch.nullable().transform((match) => match ?? {});

/** Matches by header. Istio's pseudo headers (`:authority`) are none that a request has here. */
export const headerMatches = z.record(headerName, valueMatch);

/** Matches by query parameter. */
export const parameterMatches = z.record(z.string().min(1).max(256), valueMatch);

/** A duration of Protocol Buffers or Go: `1.5s`, `100ms`, `1h30m`. */
export const goDuration = z
  .string()
  .regex(/^([0-9]{1,9}(\.[0-9]{1,9})?(ms|[hms])){1,4}$/, "write a duration such as 0.5s, 250ms or 1h30m");

/** A share of requests: 0 to 100. */
export const percentage = z.strictObject({ value: z.number().min(0).max(100).default(0) });

/** A host as Istio writes it: a Service's short or full name, a host name, or one with a leading `*`. */
export const istioHost = z
  .string()
  .max(253)
  .regex(
    /^(\*|(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)$/,
    "write a Service such as reviews or reviews.shop.svc.cluster.local, or a host name, in lower case",
  );

/** A host without a wildcard. */
export const preciseHost = istioHost.refine((host) => !host.startsWith("*"), "may not have a wildcard here");

/** Which namespaces see a resource: `.` is its own, `*` is all. */
export const exportTo = z
  .array(z.union([z.enum([".", "*"]), label], { error: "must be '.', '*' or a namespace" }))
  .max(16)
  .default([]);

/** What a route sends to. */
export const destination = z.strictObject({
  host: preciseHost,
  subset: z.string().min(1).max(63).optional(),
  port: z.strictObject({ number: port }).optional(),
});

const headerEdit = z.strictObject({
  set: z.record(headerName, z.string()).default({}),
  add: z.record(headerName, z.string()).default({}),
  remove: z.array(headerName).default([]),
});

/** Changes to headers; both directions. */
export const headerEdits = z.strictObject({
  request: headerEdit.optional(),
  response: headerEdit.optional(),
});

/** `region`, `region/zone`, each also with `/*` for all below it, or `*`: places as a DestinationRule writes them. */
export const istioPlace = z
  .string()
  .refine((place) => place === "*" || localityText.safeParse(place.replace(/(\/\*){1,2}$/, "")).success, {
    error: "write region, region/zone or *, such as us-west/zone1/*; there are no sub-zones",
  });

/** Where a workload is: `region/zone/subzone`, or less of it; empty is nowhere. */
export const istioLocality = z.string().refine(
  (place) => {
    const [region = "", zone, subzone, ...rest] = place.split("/");
    const parts = [region, zone, subzone].filter((part) => part !== undefined);
    return place === "" || (rest.length === 0 && parts.every((part) => localityText.safeParse(part).success));
  },
  { error: "write region/zone/subzone, such as us-west/zone1/rack7" },
);

export type StringMatch = z.output<typeof stringMatch>;
export type Destination = z.output<typeof destination>;
export type HeaderEdits = z.output<typeof headerEdits>;

/**
 * Gateway API's HTTPRoute: at a Gateway for calls from outside, at a Service
 * (GAMMA) for calls inside the mesh. Numbers are the specification's limits.
 *
 * @module
 */
import { z } from "zod";
import { parseDuration } from "../duration.ts";
import { label, subdomain } from "../resource.ts";
import { absolutePath, duration, headerName, headerValue, hostname, notYet, port, unique } from "./fields.ts";
import { backendFilters, ruleFilters } from "./http-filter.ts";

const GATEWAY_GROUP = "gateway.networking.k8s.io";
const exact = z
  .enum(["Exact"], { error: "not supported yet: match types other than Exact" })
  .default("Exact");

const parentRef = z
  .strictObject({
    group: z.string().default(GATEWAY_GROUP),
    kind: z.enum(["Gateway", "Service"], { error: "must be Gateway or Service" }).default("Gateway"),
    namespace: label.optional(),
    name: subdomain,
    sectionName: subdomain.optional(),
    port: port.optional(),
  })
  .refine(({ group, kind }) => group === (kind === "Gateway" ? GATEWAY_GROUP : ""), {
    path: ["group"],
    error: `must be "" for a Service and ${GATEWAY_GROUP} for a Gateway`,
  })
  .refine(({ kind, sectionName }) => kind === "Gateway" || sectionName === undefined, {
    path: ["sectionName"],
    error: "not supported yet for a Service: name the port instead",
  });

const pathMatch = z.strictObject({
  type: z
    .enum(["Exact", "PathPrefix"], {
      error: "must be Exact or PathPrefix; RegularExpression is not supported yet",
    })
    .default("PathPrefix"),
  value: absolutePath.default("/"),
});

const match = z.strictObject({
  path: pathMatch.default({ type: "PathPrefix", value: "/" }),
  headers: z
    .array(z.strictObject({ type: exact, name: headerName, value: headerValue }))
    .max(16)
    .default([])
    .superRefine(unique(({ name }) => name.toLowerCase(), ["name"])),
  queryParams: z
    .array(
      z.strictObject({ type: exact, name: z.string().min(1).max(256), value: z.string().min(1).max(1024) }),
    )
    .max(16)
    .default([])
    .superRefine(unique(({ name }) => name, ["name"])),
  method: z.enum(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]).optional(),
});

const backendRef = z
  .strictObject({
    group: z.string().default(""),
    kind: z.string().min(1).max(63).default("Service"),
    namespace: label.optional(),
    name: z.string().min(1).max(253),
    port: port.optional(),
    weight: z.int().min(0).max(1_000_000).default(1),
    filters: backendFilters,
  })
  .refine(({ group, kind, port }) => group !== "" || kind !== "Service" || port !== undefined, {
    path: ["port"],
    error: "is required for a Service",
  });

const timeouts = z
  .strictObject({ request: duration.optional(), backendRequest: duration.optional() })
  .refine(({ request, backendRequest }) => isWithin(backendRequest, request), {
    path: ["backendRequest"],
    error: "may not be longer than request",
  });

/** `0s` and absence mean no limit. */
function isWithin(part: string | undefined, whole: string | undefined): boolean {
  const limitMs = parseDuration(whole ?? "") ?? 0;
  return limitMs === 0 || (parseDuration(part ?? "") ?? 0) <= limitMs;
}

const retry = z.strictObject({
  codes: z.array(z.int().min(400).max(599)).max(64).default([]),
  /** Retries, not tries. Our limit: more would multiply an outage. */
  attempts: z.int().min(0).max(10).optional(),
  backoff: duration.optional(),
});

const rule = z
  .strictObject({
    name: subdomain.optional(),
    matches: z
      .array(match)
      .max(64)
      .default([{ path: { type: "PathPrefix", value: "/" }, headers: [], queryParams: [] }]),
    filters: ruleFilters,
    backendRefs: z.array(backendRef).max(16).default([]),
    timeouts: timeouts.optional(),
    retry: retry.optional(),
    sessionPersistence: notYet("sessionPersistence"),
  })
  .superRefine(({ matches, filters, backendRefs }, context) => {
    const isPrefixed = matches.every(({ path }) => path.type === "PathPrefix");
    filters.forEach((filter, index) => {
      const path = ["filters", index];
      if (filter.requestRedirect !== undefined && backendRefs.length > 0) {
        context.addIssue({
          code: "custom",
          path,
          message: "a redirect answers itself: leave out backendRefs",
        });
      }
      const modifier = filter.urlRewrite?.path ?? filter.requestRedirect?.path;
      if (modifier?.type === "ReplacePrefixMatch" && !isPrefixed) {
        context.addIssue({
          code: "custom",
          path,
          message: "ReplacePrefixMatch needs matches of type PathPrefix only: use ReplaceFullPath",
        });
      }
    });
  });

/** A route without matches is for every path; without hostnames, for every host of its listeners. */
export const httpRouteSpec = z.strictObject({
  parentRefs: z
    .array(parentRef)
    .max(32)
    .default([])
    .superRefine(
      unique(({ kind, namespace, name, sectionName, port }) =>
        [kind, namespace, name, sectionName, port].map((part) => part ?? "").join(" "),
      ),
    ),
  hostnames: z
    .array(hostname)
    .max(16)
    .default([])
    .superRefine(unique((name) => name)),
  rules: z
    .array(rule)
    .min(1)
    .max(16)
    .superRefine(unique(({ name }) => name, ["name"]))
    .refine((rules) => rules.reduce((total, { matches }) => total + matches.length, 0) <= 128, {
      error: "at most 128 matches in one route",
    })
    .default([
      {
        matches: [{ path: { type: "PathPrefix", value: "/" }, headers: [], queryParams: [] }],
        filters: [],
        backendRefs: [],
      },
    ]),
  useDefaultGateways: notYet("name the Gateway in parentRefs"),
});

export type HttpRouteSpec = z.output<typeof httpRouteSpec>;
export type ParentRef = HttpRouteSpec["parentRefs"][number];
export type HttpRule = HttpRouteSpec["rules"][number];
export type HttpMatch = HttpRule["matches"][number];
export type BackendRef = HttpRule["backendRefs"][number];

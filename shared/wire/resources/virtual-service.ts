/**
 * Istio's VirtualService, as far as it can be translated without a change of
 * meaning. What cannot is refused here, at its field.
 *
 * @module
 */
import { z } from "zod";
import { notYet, port, refused } from "./fields.ts";
import {
  destination,
  exportTo,
  goDuration,
  headerEdits,
  istioHost,
  percentage,
  headerMatches,
  parameterMatches,
  stringMatch,
} from "./istio-fields.ts";
import { readGrpcStatus } from "./route-extensions.ts";

const gateway = z
  .string()
  .max(317)
  .regex(/^([a-z0-9-]+\/)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, "write mesh, NAME or NAMESPACE/NAME");

const match = z.strictObject({
  name: z.string().optional(),
  uri: stringMatch.optional(),
  scheme: notYet("scheme; bind the rule to a Gateway of that protocol"),
  method: stringMatch
    .refine(
      ({ exact, regex }) => exact !== undefined || /^[A-Z]+(\|[A-Z]+)*$/.test(regex ?? ""),
      "write exact, or regex with methods only, such as GET|HEAD",
    )
    .optional(),
  authority: notYet("authority; write a VirtualService for the host"),
  headers: headerMatches.default({}),
  withoutHeaders: headerMatches.default({}),
  queryParams: parameterMatches.default({}),
  ignoreUriCase: z.boolean().default(false),
  port: port.optional(),
  gateways: z.array(gateway).default([]),
  sourceNamespace: z.string().max(63).default(""),
  sourceLabels: refused("callers are known by identity: write sourceNamespace"),
  statPrefix: z.string().optional(),
});

const weighted = z.strictObject({
  destination,
  weight: z.int().min(0).max(1_000_000).optional(),
  headers: headerEdits.optional(),
});

const redirect = z
  .strictObject({
    uri: z.string().max(1024).optional(),
    authority: z.string().max(259).optional(),
    port: port.optional(),
    derivePort: z.enum(["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"]).optional(),
    scheme: z.enum(["http", "https"]).optional(),
    redirectCode: z
      .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)], {
        error: "must be 301, 302, 303, 307 or 308",
      })
      .default(301),
  })
  .refine(({ scheme, derivePort }) => derivePort !== "FROM_PROTOCOL_DEFAULT" || scheme !== undefined, {
    path: ["derivePort"],
    error: "needs scheme: write the scheme that the port is the default of",
  })
  .refine(({ scheme, derivePort }) => derivePort !== "FROM_REQUEST_PORT" || scheme === undefined, {
    path: ["derivePort"],
    error: "not supported together with scheme: write port",
  });

const delay = z.strictObject({
  fixedDelay: goDuration,
  percentage: percentage.optional(),
  percent: z.int().min(0).max(100).optional(),
  exponentialDelay: notYet("exponentialDelay"),
});

const abort = z
  .strictObject({
    httpStatus: z.int().min(200).max(599).optional(),
    /** The name or the number. */
    grpcStatus: z
      .union([z.string(), z.int()])
      .transform(String)
      .refine(
        (text) => readGrpcStatus(text) !== null,
        "must be 1 to 16, or the name of a failure such as UNAVAILABLE",
      )
      .optional(),
    http2Error: notYet("http2Error"),
    percentage: percentage.optional(),
    percent: z.int().min(0).max(100).optional(),
  })
  .refine(({ httpStatus, grpcStatus }) => (httpStatus === undefined) !== (grpcStatus === undefined), {
    error: "takes one of httpStatus and grpcStatus",
  });

const retries = z.strictObject({
  attempts: z.int().min(0).max(10).default(2),
  perTryTimeout: goDuration.optional(),
  retryOn: z.string().max(1024).optional(),
  retryRemoteLocalities: z.boolean().optional(),
  retryIgnorePreviousHosts: z.boolean().optional(),
  backoff: goDuration.optional(),
});

const cors = z.strictObject({
  allowOrigins: z.array(stringMatch).max(64).default([]),
  allowOrigin: z.array(z.string()).max(64).default([]),
  allowMethods: z.array(z.string()).default([]),
  allowHeaders: z.array(z.string()).default([]),
  exposeHeaders: z.array(z.string()).default([]),
  maxAge: goDuration.optional(),
  allowCredentials: z.boolean().optional(),
  unmatchedPreflights: z
    .enum(["UNSPECIFIED", "IGNORE"], {
      error: "must be IGNORE: an origin that is not allowed gets no headers",
    })
    .optional(),
});

const directResponse = z.strictObject({
  status: z.int().min(200).max(599),
  body: z
    .strictObject({ string: z.string().max(4096).optional(), bytes: notYet("bytes; write string") })
    .optional(),
});

const rewrite = z.strictObject({
  uri: z.string().max(1024).optional(),
  authority: z.string().max(253).optional(),
  uriRegexRewrite: notYet("uriRegexRewrite"),
});

const rule = z
  .strictObject({
    name: z.string().optional(),
    match: z.array(match).max(128).default([]),
    route: z.array(weighted).max(16).default([]),
    redirect: redirect.optional(),
    directResponse: directResponse.optional(),
    delegate: notYet("delegate; write the rules here"),
    rewrite: rewrite.optional(),
    timeout: goDuration.optional(),
    retries: retries.optional(),
    fault: z.strictObject({ delay: delay.optional(), abort: abort.optional() }).optional(),
    mirror: destination.optional(),
    mirrors: z
      .array(z.strictObject({ destination, percentage: percentage.optional() }))
      .max(16)
      .default([]),
    mirrorPercent: z.int().min(0).max(100).optional(),
    mirror_percent: z.int().min(0).max(100).optional(),
    mirrorPercentage: percentage.optional(),
    corsPolicy: cors.optional(),
    headers: headerEdits.optional(),
  })
  .refine(
    ({ route, redirect, directResponse }) =>
      Number(route.length > 0) + Number(redirect !== undefined) + Number(directResponse !== undefined) === 1,
    { path: ["route"], error: "a rule takes exactly one of route, redirect and directResponse" },
  )
  .refine(({ redirect, rewrite }) => redirect === undefined || rewrite === undefined, {
    path: ["rewrite"],
    error: "does not go with redirect",
  })
  .refine(({ mirror, mirrors }) => mirror === undefined || mirrors.length === 0, {
    path: ["mirrors"],
    error: "mirror and mirrors exclude each other",
  });

/** Rules are tried in order; the first that matches decides. */
export const virtualServiceSpec = z.strictObject({
  hosts: z.array(istioHost).min(1).max(16),
  gateways: z.array(gateway).max(16).default([]),
  http: z.array(rule).min(1).max(256),
  tls: notYet("tls; only HTTP is routed"),
  tcp: notYet("tcp; only HTTP is routed"),
  exportTo,
});

export type VirtualServiceSpec = z.output<typeof virtualServiceSpec>;
export type VirtualRule = VirtualServiceSpec["http"][number];
export type VirtualMatch = VirtualRule["match"][number];

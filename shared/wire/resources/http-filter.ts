/**
 * Filters of routes: Gateway API's, as far as they are carried out.
 *
 * @module
 */
import { z } from "zod";
import { label } from "../resource.ts";
import { absolutePath, headerName, headerValue, notYet, port, preciseHostname, unique } from "./fields.ts";
import { subset } from "./route-extensions.ts";

/** Set by the mesh or by the connection: a route that wrote them could forge an identity or break framing. */
const OWNED =
  /^(x-selvedge-.*|x-forwarded-client-cert|host|connection|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade|content-length)$/i;

const editableName = headerName.refine(
  (name) => !OWNED.test(name),
  "belongs to the mesh or to the connection; to change the host use URLRewrite with hostname",
);

const headerList = z
  .array(z.strictObject({ name: editableName, value: headerValue }))
  .max(16)
  .default([])
  .superRefine(unique(({ name }) => name.toLowerCase(), ["name"]));

const headerModifier = z.strictObject({
  set: headerList,
  add: headerList,
  remove: z
    .array(editableName)
    .max(16)
    .default([])
    .superRefine(unique((name) => name.toLowerCase())),
});

const pathModifier = z
  .strictObject({
    type: z.enum(["ReplaceFullPath", "ReplacePrefixMatch"]),
    replaceFullPath: absolutePath.optional(),
    /** Empty stands for `/`. */
    replacePrefixMatch: z
      .union([z.literal(""), absolutePath], { error: "must be empty or begin with '/'" })
      .optional(),
  })
  .refine(({ type, replaceFullPath }) => (type === "ReplaceFullPath") === (replaceFullPath !== undefined), {
    path: ["replaceFullPath"],
    error: "goes with type: ReplaceFullPath, and only with it",
  })
  .refine(
    ({ type, replacePrefixMatch }) => (type === "ReplacePrefixMatch") === (replacePrefixMatch !== undefined),
    {
      path: ["replacePrefixMatch"],
      error: "goes with type: ReplacePrefixMatch, and only with it",
    },
  );

const redirect = z.strictObject({
  scheme: z.enum(["http", "https"]).optional(),
  hostname: preciseHostname.optional(),
  path: pathModifier.optional(),
  port: port.optional(),
  statusCode: z
    .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)], {
      error: "must be 301, 302, 303, 307 or 308",
    })
    .default(302),
});

const urlRewrite = z.strictObject({
  hostname: preciseHostname.optional(),
  path: pathModifier.optional(),
});

/** What a reference to a backend names. A Service needs a port. */
export const target = {
  group: z.string().default(""),
  kind: z.string().min(1).max(63).default("Service"),
  namespace: label.optional(),
  name: z.string().min(1).max(253),
  port: port.optional(),
  subset: subset.optional(),
};

/** All requests unless `percent` or `fraction` says otherwise. */
const mirror = z
  .strictObject({
    backendRef: z.strictObject(target),
    percent: z.int().min(0).max(100).optional(),
    fraction: z
      .strictObject({
        numerator: z.int().min(0),
        denominator: z.int().min(1).default(100),
      })
      .refine(({ numerator, denominator }) => numerator <= denominator, {
        path: ["numerator"],
        error: "may not be more than denominator",
      })
      .optional(),
  })
  .refine(({ percent, fraction }) => percent === undefined || fraction === undefined, {
    path: ["fraction"],
    error: "give percent or fraction, not both",
  });

const origin = z
  .string()
  .max(253)
  .regex(
    /^(\*|https?:\/\/(\*|\*?[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?)$/i,
    "write * or scheme://host[:port], as in https://www.example.com or https://*.example.com",
  );

const METHODS = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
  "*",
] as const;

function corsList<Item extends z.ZodType<string>>(item: Item, max: number) {
  return z
    .array(item)
    .max(max)
    .default([])
    .superRefine(unique((text: string) => text.toLowerCase()))
    .refine((list: readonly string[]) => list.length < 2 || !list.includes("*"), {
      error: "'*' stands alone: it covers everything",
    });
}

const cors = z.strictObject({
  allowOrigins: corsList(origin, 64),
  allowCredentials: z.boolean().default(false),
  allowMethods: corsList(z.enum(METHODS), 9),
  allowHeaders: corsList(z.union([z.literal("*"), headerName]), 64),
  exposeHeaders: corsList(z.union([z.literal("*"), headerName]), 64),
  /** In seconds. */
  maxAge: z.int().min(1).max(2_147_483_647).default(5),
});

/** The field that carries what a filter of this type does. */
const FIELD_OF = {
  RequestHeaderModifier: "requestHeaderModifier",
  ResponseHeaderModifier: "responseHeaderModifier",
  RequestRedirect: "requestRedirect",
  URLRewrite: "urlRewrite",
  RequestMirror: "requestMirror",
  CORS: "cors",
} as const;

const fields = {
  requestHeaderModifier: headerModifier.optional(),
  responseHeaderModifier: headerModifier.optional(),
  requestRedirect: redirect.optional(),
  urlRewrite: urlRewrite.optional(),
  requestMirror: mirror.optional(),
  cors: cors.optional(),
  externalAuth: notYet("ExternalAuth"),
  extensionRef: notYet("ExtensionRef"),
};

/** Filters of the given types, each at most once, except that there may be several mirrors. */
function filtersOf<Type extends keyof typeof FIELD_OF>(types: readonly [Type, ...Type[]]) {
  const filter = z
    .strictObject({
      type: z.enum(types, { error: `not supported yet: write ${types.join(", ")}` }),
      ...fields,
    })
    .superRefine((value, context) => {
      for (const [type, field] of Object.entries(FIELD_OF)) {
        if ((value.type === type) === (value[field] !== undefined)) continue;
        context.addIssue({
          code: "custom",
          path: [field],
          message: `goes with type: ${type}, and only with it`,
        });
      }
    });
  return z
    .array(filter)
    .max(16)
    .default([])
    .superRefine(unique(({ type }) => (type === "RequestMirror" ? undefined : type), ["type"]))
    .refine((filters) => !(has(filters, "RequestRedirect") && has(filters, "URLRewrite")), {
      error: "RequestRedirect and URLRewrite exclude each other",
    });
}

const HTTP_FILTERS = [
  "RequestHeaderModifier",
  "ResponseHeaderModifier",
  "RequestRedirect",
  "URLRewrite",
  "RequestMirror",
  "CORS",
] as const;

/** Filters of one backend: for its share of the requests. */
export const backendFilters = filtersOf(HTTP_FILTERS);

/** Filters of a rule. */
export const ruleFilters = filtersOf(HTTP_FILTERS);

/** Filters of a GRPCRoute's rule or backend. */
export const grpcFilters = filtersOf(["RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror"]);

function has(filters: readonly { readonly type: string }[], type: string): boolean {
  return filters.some((filter) => filter.type === type);
}

export type HeaderModifier = z.output<typeof headerModifier>;
export type PathModifier = z.output<typeof pathModifier>;
export type HttpFilter = z.output<typeof ruleFilters>[number];
export type MirrorSpec = z.output<typeof mirror>;
export type CorsSpec = z.output<typeof cors>;

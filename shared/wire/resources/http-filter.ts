/**
 * Filters of an HTTPRoute: Gateway API's, as far as they are carried out.
 *
 * @module
 */
import { z } from "zod";
import { absolutePath, headerName, headerValue, notYet, port, preciseHostname, unique } from "./fields.ts";

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

/** The field that carries what a filter of this type does. */
const FIELD_OF = {
  RequestHeaderModifier: "requestHeaderModifier",
  ResponseHeaderModifier: "responseHeaderModifier",
  RequestRedirect: "requestRedirect",
  URLRewrite: "urlRewrite",
} as const;

const fields = {
  requestHeaderModifier: headerModifier.optional(),
  responseHeaderModifier: headerModifier.optional(),
  requestRedirect: redirect.optional(),
  urlRewrite: urlRewrite.optional(),
  requestMirror: notYet("RequestMirror"),
  cors: notYet("CORS"),
  externalAuth: notYet("ExternalAuth"),
  extensionRef: notYet("ExtensionRef"),
};

/** Filters of the given types, each at most once. */
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
    .superRefine(unique(({ type }) => type, ["type"]));
}

/** Filters of one backend: what may differ from backend to backend. */
export const backendFilters = filtersOf(["RequestHeaderModifier", "ResponseHeaderModifier"]);

/** Filters of a rule. */
export const ruleFilters = filtersOf([
  "RequestHeaderModifier",
  "ResponseHeaderModifier",
  "RequestRedirect",
  "URLRewrite",
]).refine((filters) => !(has(filters, "RequestRedirect") && has(filters, "URLRewrite")), {
  error: "RequestRedirect and URLRewrite exclude each other in one rule",
});

function has(filters: readonly { readonly type: string }[], type: string): boolean {
  return filters.some((filter) => filter.type === type);
}

export type HeaderModifier = z.output<typeof headerModifier>;
export type PathModifier = z.output<typeof pathModifier>;
export type HttpFilter = z.output<typeof ruleFilters>[number];

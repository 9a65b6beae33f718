/**
 * Questions of the form "what would the mesh do with this request", and their
 * answers, as the admin API and its clients see them.
 *
 * @module
 */
import { z } from "zod";
import { PROBLEMS, type ProblemCode } from "./problem.ts";
import { label } from "./resource.ts";

const codes = Object.keys(PROBLEMS).filter((code): code is ProblemCode => code in PROBLEMS);

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Body of `POST /explain`. */
export const explainRequest = z
  .strictObject({
    method: z.string().max(63).regex(TOKEN, "write a method").default("GET"),
    url: z
      .string()
      .max(20_000)
      .regex(/^https?:\/\/[^/?#]+/, "write a URL: http://host/path")
      .meta({ description: "Scheme, host and, if need be, port as the client would call." }),
    headers: z
      .array(
        z.strictObject({
          name: z.string().max(256).regex(TOKEN, "write the name of a header"),
          value: z
            .string()
            .max(8_192)
            // oxlint-disable-next-line no-control-regex -- what no header may have
            .regex(/^[^\u0000-\u0008\u000a-\u001f\u007f]*$/, "must not have control characters"),
        }),
      )
      .max(100)
      .readonly()
      .default([]),
    from: z
      .string()
      .regex(/^[^/]+\/[^/]+$/, "write namespace/service-account")
      .optional()
      .meta({ description: "The caller's workload; without it nobody in particular calls, from outside." }),
    gateway: z
      .strictObject({ namespace: label, name: z.string().min(1).max(253) })
      .optional()
      .meta({ description: "Only this Gateway, as if its own address had been called." }),
  })
  .meta({ id: "ExplainRequest" });

const pathMatch = z.object({
  kind: z.enum(["exact", "prefix", "text-prefix", "regex"]),
  value: z.string(),
  ignoresCase: z.literal(true).optional(),
});

const valueMatch = z.object({
  name: z.string(),
  kind: z.enum(["exact", "prefix", "suffix", "contains", "present", "regex"]),
  value: z.string(),
  isInverted: z.literal(true).optional(),
  ignoresCase: z.literal(true).optional(),
});

const rule = z.object({
  route: z.string().meta({ description: "`namespace/name`." }),
  rule: z.string().meta({ description: "The rule's name, else its index in the route." }),
  path: pathMatch,
  method: z.string().nullable(),
  headers: z.array(valueMatch).readonly(),
  query: z.array(valueMatch).readonly(),
  isForSomeCallers: z.boolean(),
  verdict: z.enum(["decides", "later", "path", "method", "headers", "query", "callers"]).meta({
    description: "`later`: matches too, but another comes first; else the part that does not match.",
  }),
});

const authorization = z.object({
  isAllowed: z.boolean(),
  by: z.string().nullable().meta({ description: "The rule that decided, `namespace/policy[index]`." }),
});

const backend = z.object({
  service: z.string(),
  port: z.int().nullable(),
  subset: z.string().nullable(),
  weight: z.number(),
  share: z.number().meta({ description: "Share of the rule's requests, 0 to 1." }),
  invalid: z.enum(codes).nullable().meta({ description: "What its share is answered with." }),
  redirect: z.string().nullable().meta({ description: "Where its share is redirected to, if it is." }),
  endpoints: z.int(),
  usable: z.int().meta({ description: "Healthy and not ejected." }),
  loadBalancing: z.string(),
  timeoutMs: z.number().nullable(),
  retries: z.int(),
  failover: z
    .array(
      z.object({
        service: z.string(),
        subset: z.string().nullable(),
        endpoints: z.int(),
        usable: z.int(),
        isMissing: z.boolean().meta({ description: "It does not exist: calls pass it over." }),
      }),
    )
    .readonly()
    .optional()
    .meta({ description: "Who stands in when too few endpoints are left, in order. Absent: nobody." }),
  policies: z
    .array(
      z.object({
        endpoints: z.int().meta({ description: "How many endpoints these policies protect." }),
        peer: z.enum(["strict", "permissive", "disabled"]),
        authorization,
        limits: z.array(z.string()).readonly(),
        faults: z.array(z.string()).readonly(),
      }),
    )
    .readonly(),
});

/** What `POST /explain` answers. */
export const explanation = z
  .object({
    version: z.int().meta({ description: "The version of the configuration that was asked." }),
    caller: z.string().nullable().meta({ description: "SPIFFE id." }),
    request: z.object({
      method: z.string(),
      host: z.string(),
      port: z.int(),
      path: z.string().meta({ description: "In the one form that everything decides by." }),
    }),
    entrance: z
      .discriminatedUnion("kind", [
        z.object({ kind: z.literal("service"), service: z.string(), port: z.int() }),
        z.object({ kind: z.literal("listener"), listener: z.string(), domain: z.string().nullable() }),
      ])
      .nullable(),
    listeners: z
      .array(
        z.object({
          listener: z.string().meta({ description: "`namespace/gateway/listener`." }),
          port: z.int(),
          scheme: z.enum(["http", "https"]),
          hostname: z.string(),
          verdict: z.enum(["decides", "host", "address", "other"]).meta({
            description:
              "Why not: it is for other hosts, it is not at the gateway's address, or another listener fits better.",
          }),
        }),
      )
      .readonly(),
    gatewayAuthorization: authorization.nullable(),
    rules: z.array(rule).readonly(),
    omittedRules: z.int().meta({ description: "Further rules, all for other paths." }),
    outcome: z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("forward"), host: z.string(), path: z.string() }),
      z.object({ kind: z.literal("redirect"), status: z.int(), location: z.string() }),
      z.object({ kind: z.literal("respond"), status: z.int() }),
      z.object({ kind: z.literal("refuse"), status: z.int(), code: z.enum(codes), detail: z.string() }),
    ]),
    sticky: z
      .object({
        by: z
          .string()
          .meta({ description: "What decides between the backends: `cookie session`, `caller`." }),
        backend: z
          .string()
          .nullable()
          .meta({ description: "The one that this request gets; null when it lacks the key." }),
      })
      .nullable(),
    priority: z
      .enum(["high", "default", "low"])
      .nullable()
      .meta({ description: "What the route says of it; null leaves it to the caller." }),
    backends: z.array(backend).readonly(),
    faults: z.array(z.string()).readonly().meta({ description: "Policies of the route that inject faults." }),
    mirrors: z.array(z.object({ service: z.string(), share: z.number() })).readonly(),
  })
  .meta({ id: "Explanation" });

export type ExplainRequest = z.output<typeof explainRequest>;
export type Explanation = z.infer<typeof explanation>;
export type ExplainedBackend = z.infer<typeof backend>;
export type ExplainedRule = z.infer<typeof rule>;

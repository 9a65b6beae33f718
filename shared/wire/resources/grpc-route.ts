/**
 * Gateway API's GRPCRoute. A call is a POST to `/service/method`, so that a
 * GRPCRoute is an HTTPRoute in other words.
 *
 * @module
 */
import { z } from "zod";
import { parsePattern } from "../pattern.ts";
import { subdomain } from "../resource.ts";
import { unique } from "./fields.ts";
import { grpcFilters, target } from "./http-filter.ts";
import { checkPorts } from "./http-route.ts";
import { headerMatches } from "./match-fields.ts";
import { hostnames, parentRefs, useDefaultGateways } from "./route-fields.ts";
import { sessionPersistence } from "./session-persistence.ts";

/** Names as Protocol Buffers have them; of a service with its package. */
const SERVICE = /^[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_][A-Za-z_0-9]*)*$/;
const METHOD = /^[A-Za-z_][A-Za-z_0-9]*$/;

const methodMatch = z
  .strictObject({
    type: z.enum(["Exact", "RegularExpression"]).default("Exact"),
    service: z.string().max(1024).optional(),
    method: z.string().max(1024).optional(),
  })
  .superRefine(({ type, service, method }, context) => {
    const report = (field: string, message: string) =>
      context.addIssue({ code: "custom", path: [field], message });
    if (service === undefined && method === undefined) report("service", "give service, method or both");
    for (const [field, text, form] of [
      ["service", service, SERVICE],
      ["method", method, METHOD],
    ] as const) {
      if (text === undefined) continue;
      if (type === "Exact") {
        if (!form.test(text)) report(field, "is no name of Protocol Buffers: letters, digits and '_'");
        continue;
      }
      const result = parsePattern(text);
      if (!result.ok) report(field, result.message);
    }
  });

const rule = z.strictObject({
  name: subdomain.optional(),
  matches: z
    .array(z.strictObject({ method: methodMatch.optional(), headers: headerMatches }))
    .max(64)
    .default([{ headers: [] }]),
  filters: grpcFilters,
  backendRefs: z
    .array(
      z.strictObject({
        ...target,
        weight: z.int().min(0).max(1_000_000).default(1),
        filters: grpcFilters,
      }),
    )
    .max(16)
    .default([]),
  sessionPersistence: sessionPersistence.optional(),
});

/** A route without rules holds for every call and answers with an error: it has no backends. */
export const grpcRouteSpec = z
  .strictObject({
    parentRefs,
    hostnames,
    rules: z
      .array(rule)
      .min(1)
      .max(16)
      .superRefine(unique(({ name }) => name, ["name"]))
      .refine((rules) => rules.reduce((total, { matches }) => total + matches.length, 0) <= 128, {
        error: "at most 128 matches in one route",
      })
      .default([{ matches: [{ headers: [] }], filters: [], backendRefs: [] }]),
    useDefaultGateways,
  })
  .superRefine(checkPorts);

export type GrpcRouteSpec = z.output<typeof grpcRouteSpec>;
export type GrpcMatch = GrpcRouteSpec["rules"][number]["matches"][number];

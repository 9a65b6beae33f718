/**
 * AuthorizationProvider: who is asked about calls that an AuthorizationPolicy
 * with `action: CUSTOM` is about. Istio has these in its mesh configuration
 * (`envoyExtAuthzHttp`), whose words and meanings are kept.
 *
 * @module
 */
import { z } from "zod";
import { parseAddress } from "../address.ts";
import { absolutePath, headerName, headerValue, notYet, positiveDuration } from "./fields.ts";

const names = z.array(headerName).max(64).default([]);

/** Of fields of the call itself: what a provider is shown is said in full. */
const fullNames = z
  .array(headerName.refine((name) => !name.includes("*"), "write the names in full, without '*'"))
  .max(64)
  .default([]);

/** Stands in `selvedge-system`. */
export const authorizationProviderSpec = z.strictObject({
  /** Where it answers HTTP, as an Endpoint's address: `binding:NAME` or `http(s)://host[:port]`. */
  address: z.string().superRefine((text, context) => {
    const parsed = parseAddress(text);
    if (!parsed.ok) context.addIssue({ code: "custom", message: parsed.message });
  }),
  /** Put before the path of the call. */
  pathPrefix: absolutePath
    .refine((path) => !path.endsWith("/"), "may not end in '/': the call's path follows")
    .optional(),
  /** Envoy's default for a call to a provider by HTTP is as long. */
  timeout: positiveDuration.default("200ms"),
  failOpen: z.boolean().default(false),
  /** With which a call is denied that the provider cannot be asked about. */
  statusOnError: z.coerce.number().int().min(400).max(599).default(403),
  /** Fields of the call that the provider sees besides host, method, path and authorization. */
  includeRequestHeadersInCheck: fullNames,
  includeAdditionalHeadersInCheck: z.record(headerName, headerValue).default({}),
  /** Fields of the provider's answer that an admitted call goes on with. */
  headersToUpstreamOnAllow: names,
  /** Fields of the provider's answer that a denied caller sees. Without any: all but those of framing. */
  headersToDownstreamOnDeny: names,
  includeRequestBodyInCheck: notYet("providers see no bodies"),
  headersToDownstreamOnAllow: notYet("write headersToUpstreamOnAllow"),
  includeHeadersInCheck: notYet("write includeRequestHeadersInCheck"),
});

export type AuthorizationProviderSpec = z.output<typeof authorizationProviderSpec>;

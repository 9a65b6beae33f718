/**
 * Istio's RequestAuthentication: which end users' tokens (JWTs) count, and
 * where they stand.
 *
 * @module
 */
import { z } from "zod";
import { isPrivate, parseAddress } from "../address.ts";
import { parseJwks } from "../jwks.ts";
import { headerName, positiveDuration, targetRefs, workloadSelector } from "./fields.ts";

const GROUPS = { Service: "", Gateway: "gateway.networking.k8s.io", Endpoint: "selvedge.dev" };
const targets = targetRefs(GROUPS);

/** What the mesh itself says, and what framing hangs on: no claim may stand there. */
const outputHeader = headerName.refine(
  (name) =>
    !/^(x-selvedge-.*|x-forwarded-.*|host|connection|content-length|transfer-encoding|upgrade|te|trailer)$/i.test(
      name,
    ),
  "is a header that the mesh or HTTP itself sets: choose another",
);

/** A parameter or cookie. */
const fieldName = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, "a name holds letters, digits and !#$%&'*+-.^_`|~ only");

const keysUri = z
  .string()
  .max(2048)
  .refine((text) => originOf(text) !== null, "write https://host/path, without user information and fragment")
  .refine(
    (text) => !text.startsWith("http://") || reachesInside(text),
    "keys that come over plain HTTP can be forged on their way: use https",
  );

/** Scheme, host and port of a URL; `null` when it is none that keys can come from. */
export function originOf(text: string): string | null {
  const url = URL.parse(text);
  const isSound =
    url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
  // A backslash or an at sign is read in more than one way.
  return isSound && url.hash === "" && !/[\\@#\s]/.test(text) ? url.origin : null;
}

function reachesInside(text: string): boolean {
  const parsed = parseAddress(originOf(text) ?? "");
  return parsed.ok && isPrivate(parsed.address);
}

const jwtRule = z
  .strictObject({
    issuer: z.string().min(1).max(1024),
    audiences: z.array(z.string().min(1).max(1024)).max(64).default([]),
    jwksUri: keysUri.optional(),
    /** The keys themselves, as JSON text (RFC 7517). Goes before `jwksUri` (Istio). */
    jwks: z
      .string()
      .max(65_536)
      .superRefine((text, context) => {
        const parsed = parseJwks(text);
        if (!parsed.ok) context.addIssue({ code: "custom", message: parsed.message });
      })
      .optional(),
    fromHeaders: z
      .array(z.strictObject({ name: headerName, prefix: z.string().max(256).default("") }))
      .max(16)
      .default([]),
    fromParams: z.array(fieldName).max(16).default([]),
    fromCookies: z.array(fieldName).max(16).default([]),
    outputPayloadToHeader: outputHeader.optional(),
    outputClaimToHeaders: z
      .array(z.strictObject({ header: outputHeader, claim: z.string().min(1).max(256) }))
      .max(32)
      .default([]),
    forwardOriginalToken: z.boolean().default(false),
    /** For one fetch of keys. */
    timeout: positiveDuration.default("5s"),
    spaceDelimitedClaims: z.array(z.string().min(1).max(256)).max(64).default([]),
  })
  .refine(({ jwks, jwksUri }) => jwks !== undefined || jwksUri !== undefined, {
    path: ["jwksUri"],
    error: "is required, or jwks: keys are not looked for by the issuer's name",
  });

/** A bad token is 401; none at all is an AuthorizationPolicy's business. */
export const requestAuthenticationSpec = z
  .strictObject({
    selector: workloadSelector.optional(),
    targetRefs: targets.optional(),
    /** Istio's older form of a list of one. */
    targetRef: targets.element.optional(),
    jwtRules: z.array(jwtRule).max(64).default([]),
  })
  .refine(
    ({ selector, targetRefs, targetRef }) => [selector, targetRefs, targetRef].filter(Boolean).length < 2,
    {
      path: ["targetRefs"],
      error: "selector and targetRefs exclude each other",
    },
  );

export type RequestAuthenticationSpec = z.output<typeof requestAuthenticationSpec>;
export type JwtRuleSpec = z.output<typeof jwtRule>;

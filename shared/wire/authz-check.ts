/**
 * Questions of the form "may this caller make this call", and their answers,
 * as the admin API and its clients see them.
 *
 * @module
 */
import { z } from "zod";
import { explainRequest } from "./explain.ts";
import { PROBLEMS, type ProblemCode } from "./problem.ts";

const codes = Object.keys(PROBLEMS).filter((code): code is ProblemCode => code in PROBLEMS);

const workload = z.string().regex(/^[a-z0-9-]+\/[a-z0-9.-]+$/, "write namespace/name");

const { method, headers, from } = explainRequest.shape;

/** Body of `POST /authz/check`. */
export const checkRequest = z
  .strictObject({
    from: from.meta({ description: "The caller's workload; without it, nobody that was proved." }),
    to: workload.meta({ description: "The service that is called, `namespace/name`." }),
    method,
    path: z.string().max(16_384).regex(/^\//, "write a path: /a/b?c=d").default("/"),
    host: z
      .string()
      .max(255)
      .regex(/^[^/?#@\\\s]+$/, "write a host name")
      .optional()
      .meta({ description: "Host of the call; the service's own name unless given." }),
    port: z.int().min(1).max(65_535).optional().meta({ description: "The service's first unless given." }),
    headers: headers.meta({ description: "A token of an end user is verified as a call's is." }),
    address: z
      .union([z.ipv4(), z.ipv6()])
      .optional()
      .meta({ description: "The client's and its peer's address; without it the call is a Worker's." }),
  })
  .meta({ id: "CheckRequest" });

const step = z.object({
  stage: z.enum(["custom", "deny", "intention", "allow", "audit", "dry-run deny", "dry-run allow"]),
  policy: z.string().meta({ description: "`namespace/name`." }),
  rule: z.int(),
  verdict: z.enum(["matches", "expired", "from", "to", "when", "outranked"]).meta({
    description:
      "Matches, or the first part of the rule that does not hold; of an intention also that a more specific one is asked before.",
  }),
});

const decision = z.object({
  endpoints: z
    .array(z.string())
    .readonly()
    .meta({ description: "Endpoints that these policies protect, some of them if there are many." }),
  peer: z.enum(["strict", "permissive", "disabled"]),
  tokenBinding: z.literal("Certificate").optional().meta({
    description:
      "A caller that is known by a token alone is refused unless that is bound. Absent: nobody asks for it.",
  }),
  user: z.string().nullable().meta({ description: "The end user by a verified token, `issuer/subject`." }),
  isAllowed: z.boolean(),
  by: z.string().nullable().meta({ description: "The rule that decided, `namespace/policy[index]`." }),
  code: z.enum(codes).nullable().meta({ description: "What a denied call is answered with." }),
  reason: z.string(),
  takesTokenOnce: z.boolean().optional().meta({
    description: "A token of the mesh lets one such call through. Absent from a mesh of the release before.",
  }),
  asks: z.array(z.string()).readonly().meta({
    description: "External authorizers that a call would be decided by besides; they were not asked.",
  }),
  steps: z.array(step).readonly(),
  omittedSteps: z.int().meta({ description: "Further rules, none of which matches." }),
});

/** What `POST /authz/check` answers. */
export const checkAnswer = z
  .object({
    version: z.int().meta({ description: "The version of the configuration that was asked." }),
    caller: z.string().nullable().meta({ description: "SPIFFE id." }),
    request: z.object({ method: z.string(), host: z.string(), port: z.int(), path: z.string() }),
    decisions: z
      .array(decision)
      .readonly()
      .meta({ description: "One for each set of policies that protects endpoints of the service." }),
  })
  .meta({ id: "CheckAnswer" });

export type CheckRequest = z.output<typeof checkRequest>;
export type CheckAnswer = z.infer<typeof checkAnswer>;
export type CheckedDecision = z.infer<typeof decision>;

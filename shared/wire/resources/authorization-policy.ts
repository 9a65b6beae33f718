/**
 * Istio's AuthorizationPolicy, as far as it is carried out. What is not is
 * refused: a policy that is partly ignored protects nothing.
 *
 * @module
 */
import { z } from "zod";
import { canonicalPathMatch, UNREACHABLE } from "../path-match.ts";
import { notYet, targetRefs, workloadSelector } from "./fields.ts";

/** Exact, `prefix*`, `*suffix` or `*` (present and not empty). */
const pattern = z
  .string()
  .min(1)
  .max(1024)
  .refine((text) => !text.slice(1, -1).includes("*"), "'*' may stand at the beginning or at the end only")
  .refine((text) => text.length < 2 || !(text.startsWith("*") && text.endsWith("*")), {
    error: "'*' may stand at one end only",
  });

function oneOrMore<Schema extends z.ZodType>(schema: Schema) {
  return z.array(schema).min(1).max(256).optional();
}

const principal = pattern.refine(
  (text) => !text.startsWith("spiffe:"),
  "write <trust-domain>/ns/<namespace>/sa/<name>, without spiffe://",
);

const path = pattern
  .refine((text) => !/[{}]/.test(text), "not supported yet: path templates")
  .refine((text) => canonicalPathMatch(text) !== null, UNREACHABLE);

const host = pattern.refine((text) => !text.includes(":"), "hosts are compared without a port: use ports");

const port = z
  .union([z.string(), z.int()])
  .transform(String)
  .refine((text) => /^[1-9][0-9]{0,4}$/.test(text) && Number(text) <= 65_535, "must be a port, 1 to 65535");

const source = z
  .strictObject({
    principals: oneOrMore(principal),
    notPrincipals: oneOrMore(principal),
    namespaces: oneOrMore(pattern),
    notNamespaces: oneOrMore(pattern),
    requestPrincipals: notYet("requestPrincipals"),
    notRequestPrincipals: notYet("notRequestPrincipals"),
    serviceAccounts: notYet("serviceAccounts; write principals"),
    notServiceAccounts: notYet("notServiceAccounts; write notPrincipals"),
    trustDomains: notYet("trustDomains; write principals"),
    notTrustDomains: notYet("notTrustDomains; write notPrincipals"),
    ipBlocks: notYet("ipBlocks"),
    notIpBlocks: notYet("notIpBlocks"),
    remoteIpBlocks: notYet("remoteIpBlocks"),
    notRemoteIpBlocks: notYet("notRemoteIpBlocks"),
  })
  .refine(hasField, "must have at least one field: an empty source would match nobody's intention");

const operation = z
  .strictObject({
    hosts: oneOrMore(host),
    notHosts: oneOrMore(host),
    ports: oneOrMore(port),
    notPorts: oneOrMore(port),
    methods: oneOrMore(pattern),
    notMethods: oneOrMore(pattern),
    paths: oneOrMore(path),
    notPaths: oneOrMore(path),
  })
  .refine(hasField, "must have at least one field: leave out `to` to match every operation");

function hasField(value: object): boolean {
  return Object.values(value).some((field) => field !== undefined);
}

const rule = z.strictObject({
  from: z.array(z.strictObject({ source })).min(1).max(512).optional(),
  to: z.array(z.strictObject({ operation })).min(1).max(512).optional(),
  when: notYet("when"),
});

/** Selects workloads by labels or targets resources; with neither it is about its namespace, or the mesh. */
export const authorizationPolicySpec = z
  .strictObject({
    selector: workloadSelector.optional(),
    targetRefs: targetRefs({ Service: "", Gateway: "gateway.networking.k8s.io" }).optional(),
    targetRef: notYet("write targetRefs, a list"),
    action: z
      .enum(["ALLOW", "DENY"], { error: "must be ALLOW or DENY; AUDIT and CUSTOM are not supported yet" })
      .default("ALLOW"),
    provider: notYet("CUSTOM"),
    /** Without rules a policy never matches: an ALLOW policy then denies everything. */
    rules: z.array(rule).max(512).default([]),
  })
  .refine(({ selector, targetRefs }) => selector === undefined || targetRefs === undefined, {
    path: ["targetRefs"],
    error: "selector and targetRefs exclude each other",
  });

export type AuthorizationPolicySpec = z.output<typeof authorizationPolicySpec>;
export type SourceSpec = z.output<typeof source>;
export type OperationSpec = z.output<typeof operation>;

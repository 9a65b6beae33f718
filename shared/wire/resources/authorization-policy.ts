/**
 * Istio's AuthorizationPolicy. What is not carried out is refused: a policy
 * that is partly ignored protects nothing.
 *
 * @module
 */
import { z } from "zod";
import { ATTRIBUTES, parseAttribute, type Attribute } from "../attribute.ts";
import { targetRefs, workloadSelector } from "./fields.ts";
import {
  addressBlock,
  headerPattern,
  hostPattern,
  oneOrMore,
  pathPattern,
  pattern,
  portText,
  principal,
  serviceAccount,
  userPattern,
} from "./match-text.ts";

const source = z
  .strictObject({
    principals: oneOrMore(principal),
    notPrincipals: oneOrMore(principal),
    requestPrincipals: oneOrMore(userPattern),
    notRequestPrincipals: oneOrMore(userPattern),
    namespaces: oneOrMore(pattern),
    notNamespaces: oneOrMore(pattern),
    serviceAccounts: oneOrMore(serviceAccount),
    notServiceAccounts: oneOrMore(serviceAccount),
    trustDomains: oneOrMore(pattern),
    notTrustDomains: oneOrMore(pattern),
    ipBlocks: oneOrMore(addressBlock),
    notIpBlocks: oneOrMore(addressBlock),
    remoteIpBlocks: oneOrMore(addressBlock),
    notRemoteIpBlocks: oneOrMore(addressBlock),
  })
  .refine(hasField, "must have at least one field: an empty source would match nobody's intention")
  .refine((one) => !hasBoth(one.serviceAccounts, one.principals ?? one.namespaces), {
    path: ["serviceAccounts"],
    error: "goes without principals and namespaces, which it says itself",
  })
  .refine((one) => !hasBoth(one.notServiceAccounts, one.notPrincipals ?? one.notNamespaces), {
    path: ["notServiceAccounts"],
    error: "goes without notPrincipals and notNamespaces, which it says itself",
  });

/** What is called. Fields are ANDed, the values of one field ORed. */
export const operation = z
  .strictObject({
    hosts: oneOrMore(hostPattern),
    notHosts: oneOrMore(hostPattern),
    ports: oneOrMore(portText),
    notPorts: oneOrMore(portText),
    methods: oneOrMore(pattern),
    notMethods: oneOrMore(pattern),
    paths: oneOrMore(pathPattern),
    notPaths: oneOrMore(pathPattern),
  })
  .refine(hasField, "must have at least one field: leave out `to` to match every operation");

function hasField(value: object): boolean {
  return Object.values(value).some((field) => field !== undefined);
}

function hasBoth(one: unknown, other: unknown): boolean {
  return one !== undefined && other !== undefined;
}

/** What the values of each attribute look like; any pattern where nothing is said. */
const VALUES: Partial<Record<Attribute["kind"], z.ZodType>> = {
  address: addressBlock,
  header: headerPattern,
  port: portText,
  user: userPattern,
  "service-account": serviceAccount,
};

const condition = z
  .strictObject({
    key: z
      .string()
      .refine((key) => parseAttribute(key) !== null, `is no attribute: write one of ${ATTRIBUTES}`),
    values: oneOrMore(z.string().min(1).max(1024)),
    notValues: oneOrMore(z.string().min(1).max(1024)),
  })
  .refine(
    ({ values, notValues }) => values !== undefined || notValues !== undefined,
    "needs values or notValues",
  )
  .superRefine(({ key, ...lists }, context) => {
    const schema = VALUES[parseAttribute(key)?.kind ?? "text"] ?? pattern;
    for (const [list, values = []] of Object.entries(lists)) {
      values.forEach((value, index) => {
        for (const { message } of schema.safeParse(value).error?.issues ?? [])
          context.addIssue({ code: "custom", path: [list, index], message });
      });
    }
  });

const rule = z.strictObject({
  from: z.array(z.strictObject({ source })).min(1).max(512).optional(),
  to: z.array(z.strictObject({ operation })).min(1).max(512).optional(),
  when: z.array(condition).min(1).max(64).optional(),
  /** Ours: from then on the rule matches nothing. */
  notAfter: z.iso.datetime({ offset: true, error: "write a time such as 2026-12-31T00:00:00Z" }).optional(),
});

const GROUPS = { Service: "", Gateway: "gateway.networking.k8s.io", Endpoint: "selvedge.dev" };
const targets = targetRefs(GROUPS);

/** Selects workloads by labels or targets resources; with neither it is about its namespace, or the mesh. */
export const authorizationPolicySpec = z
  .strictObject({
    selector: workloadSelector.optional(),
    targetRefs: targets.optional(),
    /** Istio's older form of a list of one. */
    targetRef: targets.element.optional(),
    action: z
      .enum(["ALLOW", "DENY", "AUDIT", "CUSTOM"], { error: "must be ALLOW, DENY, AUDIT or CUSTOM" })
      .default("ALLOW"),
    /** An AuthorizationProvider. */
    provider: z.strictObject({ name: z.string().min(1).max(253) }).optional(),
    /** Without rules a policy never matches: an ALLOW policy then denies everything. */
    rules: z.array(rule).max(512).default([]),
  })
  .refine(
    ({ selector, targetRefs, targetRef }) => [selector, targetRefs, targetRef].filter(Boolean).length < 2,
    {
      path: ["targetRefs"],
      error: "selector and targetRefs exclude each other",
    },
  )
  .refine(({ action, provider }) => (action === "CUSTOM") === (provider !== undefined), {
    path: ["provider"],
    error: "goes with action: CUSTOM, which needs it",
  })
  .refine(
    ({ action, rules }) => action === "ALLOW" || rules.every(({ notAfter }) => notAfter === undefined),
    {
      path: ["rules"],
      error: "notAfter goes with action: ALLOW: what protects does not end by itself",
    },
  );

export type AuthorizationPolicySpec = z.output<typeof authorizationPolicySpec>;
export type SourceSpec = z.output<typeof source>;
export type OperationSpec = z.output<typeof operation>;
export type ConditionSpec = z.output<typeof condition>;

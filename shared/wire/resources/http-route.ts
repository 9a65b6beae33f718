/**
 * Gateway API's HTTPRoute: at a Gateway for calls from outside, at a Service
 * (GAMMA) for calls inside the mesh. Numbers are the specification's limits.
 * `route-extensions.ts` has what is ours.
 *
 * @module
 */
import { z } from "zod";
import { parseDuration } from "../duration.ts";
import { canonicalPath, canonicalPathMatch, UNREACHABLE } from "../path-match.ts";
import { parsePattern } from "../pattern.ts";
import { subdomain } from "../resource.ts";
import { duration, unique } from "./fields.ts";
import { ruleFilters } from "./http-filter.ts";
import { headerMatches, queryMatches } from "./match-fields.ts";
import { faults, from, order, respond, retryExtras } from "./route-extensions.ts";
import { backendRef, hostnames, parentRefs, useDefaultGateways } from "./route-fields.ts";
import { sessionPersistence } from "./session-persistence.ts";

const pathMatch = z
  .strictObject({
    /** TextPrefix is ours: it compares characters, where PathPrefix compares whole segments. */
    type: z.enum(["Exact", "PathPrefix", "RegularExpression", "TextPrefix"]).default("PathPrefix"),
    value: z.string().max(1024).default("/"),
    /** Ours: upper and lower case are the same. */
    ignoreCase: z.boolean().optional(),
  })
  .superRefine(({ type, value }, context) => {
    const message = faultOfPath(type, value);
    if (message !== null) context.addIssue({ code: "custom", path: ["value"], message });
  });

function faultOfPath(type: string, value: string): string | null {
  if (type === "RegularExpression") {
    const result = parsePattern(value);
    return result.ok ? null : result.message;
  }
  const isReachable =
    type === "TextPrefix"
      ? value.startsWith("/") && canonicalPathMatch(`${value}*`) !== null
      : canonicalPath(value) !== null;
  return isReachable ? null : UNREACHABLE;
}

const EVERYTHING = {
  path: { type: "PathPrefix" as const, value: "/" },
  headers: [],
  queryParams: [],
};

const match = z.strictObject({
  path: pathMatch.default(EVERYTHING.path),
  headers: headerMatches,
  queryParams: queryMatches,
  method: z.enum(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]).optional(),
  /** Ours: who calls. */
  from: from.optional(),
});

const timeouts = z
  .strictObject({ request: duration.optional(), backendRequest: duration.optional() })
  .refine(({ request, backendRequest }) => isWithin(backendRequest, request), {
    path: ["backendRequest"],
    error: "may not be longer than request",
  });

/** `0s` and absence mean no limit. */
function isWithin(part: string | undefined, whole: string | undefined): boolean {
  const limitMs = parseDuration(whole ?? "") ?? 0;
  return limitMs === 0 || (parseDuration(part ?? "") ?? 0) <= limitMs;
}

const retry = z.strictObject({
  codes: z.array(z.int().min(400).max(599)).max(64).default([]),
  /** Retries, not tries. Our limit: more would multiply an outage. */
  attempts: z.int().min(0).max(10).optional(),
  /** The least wait before another try. */
  backoff: duration.optional(),
  ...retryExtras,
});

const rule = z
  .strictObject({
    name: subdomain.optional(),
    matches: z.array(match).max(64).default([EVERYTHING]),
    filters: ruleFilters,
    backendRefs: z.array(backendRef).max(16).default([]),
    timeouts: timeouts.optional(),
    retry: retry.optional(),
    sessionPersistence: sessionPersistence.optional(),
    respond: respond.optional(),
    faults: faults.optional(),
  })
  .superRefine(checkAnswers)
  .superRefine(checkPrefixes);

interface RuleLike {
  readonly matches: readonly z.output<typeof match>[];
  readonly filters: z.output<typeof ruleFilters>;
  readonly backendRefs: readonly z.output<typeof backendRef>[];
  readonly respond?: z.output<typeof respond> | undefined;
}

/** What answers itself has no backends. */
function checkAnswers(
  { filters, backendRefs, respond: own }: RuleLike,
  context: z.core.$RefinementCtx,
): void {
  if (backendRefs.length === 0) return;
  const message = "answers itself: leave out backendRefs";
  if (own !== undefined) context.addIssue({ code: "custom", path: ["respond"], message });
  filters.forEach(({ requestRedirect }, index) => {
    if (requestRedirect === undefined) return;
    context.addIssue({ code: "custom", path: ["filters", index], message: `a redirect ${message}` });
  });
}

/** Only a prefix can be replaced. */
function checkPrefixes({ matches, filters, backendRefs }: RuleLike, context: z.core.$RefinementCtx): void {
  if (matches.every(({ path }) => path.type === "PathPrefix" || path.type === "TextPrefix")) return;
  const lists = [
    { list: filters, path: ["filters"] },
    ...backendRefs.map((backend, index) => ({
      list: backend.filters,
      path: ["backendRefs", index, "filters"],
    })),
  ];
  for (const { list, path } of lists) {
    list.forEach(({ urlRewrite, requestRedirect }, index) => {
      const modifier = urlRewrite?.path ?? requestRedirect?.path;
      if (modifier?.type !== "ReplacePrefixMatch") return;
      const message = "ReplacePrefixMatch needs matches of type PathPrefix only: use ReplaceFullPath";
      context.addIssue({ code: "custom", path: [...path, index], message });
    });
  }
}

const httpRoute = z.strictObject({
  parentRefs,
  hostnames,
  order: order.optional(),
  rules: z
    .array(rule)
    .min(1)
    .max(16)
    .superRefine(unique(({ name }) => name, ["name"]))
    .refine((rules) => rules.reduce((total, { matches }) => total + matches.length, 0) <= 128, {
      error: "at most 128 matches in one route",
    })
    .default([{ matches: [EVERYTHING], filters: [], backendRefs: [] }]),
  useDefaultGateways,
});

/** A route without matches is for every path; without hostnames, for every host of its listeners. */
export const httpRouteSpec = httpRoute.superRefine((spec, context) => {
  // Istio and Consul name a Service without a port where it has one only.
  if (spec.order === undefined) checkPorts(spec, context);
});

interface Reference {
  readonly group: string;
  readonly kind: string;
  readonly port?: number | undefined;
}

interface Referring {
  readonly backendRefs: readonly (Reference & Filtered)[];
  readonly filters: readonly MirrorLike[];
}

interface Filtered {
  readonly filters: readonly MirrorLike[];
}

interface MirrorLike {
  readonly requestMirror?: { readonly backendRef: Reference } | undefined;
}

/** Gateway API: a reference to a Service names its port. */
export function checkPorts(
  { rules }: { readonly rules: readonly Referring[] },
  context: z.core.$RefinementCtx,
): void {
  const check = ({ group, kind, port }: Reference, path: readonly PropertyKey[]) => {
    if (group !== "" || kind !== "Service" || port !== undefined) return;
    context.addIssue({ code: "custom", path: [...path, "port"], message: "is required for a Service" });
  };
  const checkMirrors = ({ filters }: Filtered, path: readonly PropertyKey[]) => {
    filters.forEach(({ requestMirror }, index) => {
      if (requestMirror === undefined) return;
      check(requestMirror.backendRef, [...path, "filters", index, "requestMirror", "backendRef"]);
    });
  };
  rules.forEach((one, index) => {
    const path = ["rules", index];
    checkMirrors(one, path);
    one.backendRefs.forEach((backend, at) => {
      check(backend, [...path, "backendRefs", at]);
      checkMirrors(backend, [...path, "backendRefs", at]);
    });
  });
}

export type HttpRouteSpec = z.output<typeof httpRouteSpec>;
export type { ParentRef } from "./route-fields.ts";
export type HttpRule = HttpRouteSpec["rules"][number];
export type HttpMatch = HttpRule["matches"][number];
export type BackendRef = HttpRule["backendRefs"][number];

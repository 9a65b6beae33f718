/**
 * What an HTTPRoute may say here beyond Gateway API: what routes of other
 * meshes need to keep their meaning. A route without these fields is a plain
 * HTTPRoute.
 *
 * @module
 */
import { z } from "zod";
import { label } from "../resource.ts";
import { duration, RETRY_CONDITIONS } from "./fields.ts";

/**
 * `Listed`: rules are tried in their order, of the older route first, and
 * before those of routes without an order. At a Gateway rules for everything
 * come last (Istio's merge); at a Service only the oldest document counts
 * (Istio's and Consul's: one for each service).
 */
export const order = z.enum(["Listed"], { error: "must be Listed, or left out for Gateway API's order" });

/** How a header or a query parameter may be compared, besides Gateway API's ways. */
export const VALUE_TYPES = ["Prefix", "Suffix", "Contains", "Present"] as const;

/** The extra fields of a header's or a query parameter's match. */
export const valueExtras = {
  /** Holds exactly when the match without it does not, also when the value is missing. */
  invert: z.boolean().optional(),
  ignoreCase: z.boolean().optional(),
};

/** A check that every type but Present has a value, and Present none. */
export function checkPresence<Match extends { readonly type: string; readonly value?: string | undefined }>(
  match: Match,
): boolean {
  return (match.type === "Present") === (match.value === undefined);
}

/** What `checkPresence` says. */
export const PRESENCE = {
  path: ["value"],
  error: "is required, except with type: Present, which takes none",
};

const names = z.array(z.string().min(1).max(256)).min(1).max(64).optional();

/** Any of these must be the caller. Strings as in an AuthorizationPolicy. */
export const from = z
  .array(
    z
      .strictObject({ namespaces: names, principals: names })
      .refine(({ namespaces, principals }) => namespaces !== undefined || principals !== undefined, {
        error: "takes namespaces or principals",
      }),
  )
  .min(1)
  .max(16);

/** A part of a service, as its TrafficPolicy names it. */
export const subset = label;

/** A share of requests. */
export const percentage = z.number().min(0).max(100);

/** The names of gRPC's statuses, each at its number. */
export const GRPC_STATUSES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

const grpcStatus = z
  .union([z.string(), z.int()])
  .transform(String)
  .refine(
    (text) => readGrpcStatus(text) !== null,
    `must be 1 to 16 or one of ${GRPC_STATUSES.slice(1).join(", ")}`,
  );

/** The number of a gRPC status that is told by name or number; `null` when there is none, or it is no failure. */
export function readGrpcStatus(text: string): number | null {
  const known: readonly string[] = GRPC_STATUSES;
  const status = /^[0-9]{1,2}$/.test(text) ? Number(text) : known.indexOf(text);
  return status >= 1 && status < known.length ? status : null;
}

/** An answer instead of the service's, by HTTP status or, for calls that speak gRPC, by its status. */
export const abort = z
  .strictObject({
    httpStatus: z.int().min(200).max(599).optional(),
    grpcStatus: grpcStatus.optional(),
    percentage,
  })
  .refine(({ httpStatus, grpcStatus }) => (httpStatus === undefined) !== (grpcStatus === undefined), {
    error: "takes one of httpStatus and grpcStatus",
  });

/** What goes wrong on purpose with a rule's requests, for as long as the route says so. */
export const faults = z
  .array(
    z
      .strictObject({
        delay: z.strictObject({ fixed: duration, percentage }).optional(),
        abort: abort.optional(),
      })
      .refine(({ delay, abort }) => delay !== undefined || abort !== undefined, {
        error: "takes delay, abort or both",
      }),
  )
  .min(1)
  .max(16);

/** An answer that the mesh itself gives. */
export const respond = z.strictObject({
  status: z.int().min(200).max(599),
  body: z.string().max(4096).default(""),
});

/** The extra fields of a rule's retries. */
export const retryExtras = {
  /** In Envoy's words; without it what Gateway API says: broken connections and time-outs. */
  on: z.array(z.enum(RETRY_CONDITIONS)).optional(),
  /** Retries methods that are not idempotent, too. */
  anyMethod: z.boolean().optional(),
};

export type RouteFaults = z.output<typeof faults>;
export type RouteCallers = z.output<typeof from>;

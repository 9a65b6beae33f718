/**
 * Fields that several kinds share. Messages say what to write instead.
 *
 * @module
 */
import { z } from "zod";
import { DURATION } from "../duration.ts";
import { canonicalPath, UNREACHABLE } from "../path-match.ts";
import { label, subdomain } from "../resource.ts";

/** A field that the kind's origin knows and the mesh does not carry out: refused, never ignored. */
export function notYet(what: string) {
  return refused(`not supported yet: ${what}`);
}

/** A field that makes no sense here; `message` says what to write instead. */
export function refused(message: string) {
  return z.never({ error: message }).optional();
}

/** A field that means nothing here and is kept as it came. */
export const inert = z.unknown().optional();

/** A Gateway API duration (GEP-2257), zero included. */
export const duration = z
  .string()
  .regex(DURATION, "write a duration such as 500ms, 15s or 1m30s (units h, m, s, ms; at most 5 digits each)");

/** A duration that may not be zero. */
export const positiveDuration = duration.refine((text) => /[1-9]/.test(text), "must be more than zero");

/** A port number. */
export const port = z.int().min(1).max(65_535);

/** Kubernetes' label keys: an optional DNS prefix, then a name. */
const labelKey = z
  .string()
  .max(317)
  .regex(
    /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/,
    "a key is [prefix/]name: letters, digits, '-', '_' and '.', name of at most 63 characters",
  );

const labelValue = z
  .string()
  .regex(
    /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/,
    "use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit",
  );

/** Labels, as Kubernetes restricts them. */
export const labels = z.record(labelKey, labelValue);

/** Annotations: keys as labels have, any text as value. */
export const annotations = z.record(labelKey, z.string());

/** Selects by equality alone (Istio's WorkloadSelector). */
export const workloadSelector = z.strictObject({ matchLabels: labels.default({}) });

/** A place: `region` or `region/zone`. */
export const localityText = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}(\/[A-Za-z0-9][A-Za-z0-9_.-]{0,62})?$/,
    "write region or region/zone, such as eu-west-1/eu-west-1a",
  );

/** Places: `region`, `region/zone`, or `*` for all. */
export const localityPattern = z.union([z.literal("*"), localityText], {
  error: "write region, region/zone or *",
});

/** A host name (RFC 1123) in lower case; not an IP address. */
export const preciseHostname = subdomain.refine(isNotIpAddress, "must be a name, not an IP address");

/** A host name, or `*.` and one: all names below it. */
export const hostname = z
  .string()
  .max(253)
  .regex(
    /^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
    "write a name in lower case such as www.example.com or *.example.com",
  )
  .refine(isNotIpAddress, "must be a name, not an IP address");

function isNotIpAddress(name: string): boolean {
  return !/^[0-9.]+$/.test(name);
}

/** A path that a request can have. */
export const absolutePath = z
  .string()
  .max(1024)
  .refine((text) => canonicalPath(text) !== null, UNREACHABLE);

/** RFC 9110 §5.6.2. */
export const headerName = z
  .string()
  .max(256)
  .regex(
    /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/,
    "a header name holds letters, digits and !#$%&'*+-.^_`|~ only (RFC 9110)",
  );

/** RFC 9110 §5.5 without obs-text: visible ASCII, with spaces and tabs inside. */
export const headerValue = z
  .string()
  .min(1)
  .max(4096)
  .regex(
    /^[!-~](?:[\t -~]*[!-~])?$/,
    "a header value holds visible ASCII characters, with spaces and tabs inside only (RFC 9110)",
  );

/**
 * A policy's targets: `groups` has the kinds that may be targets, each with
 * its API group, `sectioned` those of which a section may be the target.
 */
export function targetRefs(groups: Readonly<Record<string, string>>, sectioned: readonly string[] = []) {
  const kinds = Object.keys(groups);
  const spelled = kinds.map((kind) => `'${groups[kind] ?? ""}' for ${kind}`);
  const target = z
    .strictObject({
      group: z.string().default(""),
      kind: z.string().refine((kind) => kinds.includes(kind), `must be ${kinds.join(" or ")}`),
      name: subdomain,
      namespace: refused("a policy targets its own namespace; leave namespace out"),
      sectionName: subdomain.optional(),
    })
    .refine(({ kind, sectionName }) => sectionName === undefined || sectioned.includes(kind), {
      path: ["sectionName"],
      error: "a policy targets the whole resource; leave sectionName out",
    })
    // `core` is Istio's other name of the group without one.
    .refine(({ group, kind }) => !kinds.includes(kind) || (group === "core" ? "" : group) === groups[kind], {
      path: ["group"],
      error: `must be the group of the kind: ${spelled.join(", ")}`,
    });
  // Istio's and Gateway API's limit.
  return z
    .array(target)
    .min(1)
    .max(16)
    .superRefine(unique(({ kind, name, sectionName }) => `${kind} ${name} ${sectionName ?? ""}`, ["name"]));
}

/** A check that refuses the second of two items with the same key; `path` leads to the field to change. */
export function unique<Item>(keyOf: (item: Item) => string | undefined, path: readonly string[] = []) {
  return (items: readonly Item[], context: z.core.$RefinementCtx): void => {
    const seen = new Map<string, number>();
    items.forEach((item, index) => {
      const key = keyOf(item);
      if (key === undefined) return;
      const first = seen.get(key);
      if (first === undefined) seen.set(key, index);
      else context.addIssue({ code: "custom", path: [index, ...path], message: `repeats item [${first}]` });
    });
  };
}

/** A Service's name. */
export const serviceName = label;

/** What a try may be retried on, in Envoy's words. `rate-limited` is 429; the last five are gRPC statuses, told by a response's headers. */
export const RETRY_CONDITIONS = [
  "connect-failure",
  "reset",
  "timeout",
  "gateway-error",
  "5xx",
  "retriable-4xx",
  "rate-limited",
  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
  "unavailable",
] as const;

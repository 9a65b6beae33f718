/**
 * `loadBalancer` of a traffic policy, and the keys by which calls are hashed.
 *
 * @module
 */
import { z } from "zod";
import { duration, headerName, positiveDuration } from "./fields.ts";
import { cookiePath } from "./session-persistence.ts";

/** Kinds of keys that have a name. */
const NAMED: readonly string[] = ["Header", "Cookie", "QueryParam", "Claim"];

/** A key's `name` is there if, and only if, its type has one. */
export function checkName(
  { type, name }: { readonly type: string; readonly name?: string | undefined },
  context: z.core.$RefinementCtx,
): void {
  const isNamed = NAMED.includes(type);
  if (isNamed === (name !== undefined)) return;
  const message = isNamed
    ? `must be given with type: ${type}`
    : `goes with types that have a name, not ${type}`;
  context.addIssue({ code: "custom", path: ["name"], message });
}

/** A query parameter or a claim may have any name, a cookie what RFC 6265 allows, a header likewise. */
export const keyName = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[!-~]+$/, "holds visible ASCII characters only");

const hashKey = z
  .strictObject({
    type: z.enum(["Header", "Cookie", "QueryParam", "SourceIP", "Caller"]),
    name: keyName.optional(),
    /** Makes the cookie for requests without any key (Istio); `0s` makes one of the browser's session. */
    ttl: duration.optional(),
    /** Of the cookie that is made; `/` is the default. */
    path: cookiePath.optional(),
  })
  .superRefine((key, context) => {
    checkName(key, context);
    if ((key.type === "Header" || key.type === "Cookie") && !headerName.safeParse(key.name ?? "x").success) {
      context.addIssue({
        code: "custom",
        path: ["name"],
        message: "is no name of a header or cookie (RFC 9110)",
      });
    }
    if (key.type === "Cookie") {
      if (key.path === undefined || key.ttl !== undefined) return;
      context.addIssue({
        code: "custom",
        path: ["path"],
        message: "goes with ttl: without it no cookie is made",
      });
      return;
    }
    for (const field of ["ttl", "path"] as const) {
      if (key[field] === undefined) continue;
      context.addIssue({ code: "custom", path: [field], message: "goes with type: Cookie only" });
    }
  });

/** A larger table takes 2 bytes a slot in every isolate. */
const MAX_TABLE_SIZE = 262_139;

function isPrime(value: number): boolean {
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false;
  return value > 1;
}

type BalancerType = "RoundRobin" | "Random" | "LeastRequest" | "PeakEWMA" | "RingHash" | "Maglev";

/** Which types each field goes with. */
const TYPES_OF: Readonly<Record<string, readonly BalancerType[]>> = {
  choiceCount: ["LeastRequest"],
  decay: ["PeakEWMA"],
  defaultRtt: ["PeakEWMA"],
  hashKey: ["RingHash", "Maglev"],
  boundFactor: ["RingHash", "Maglev"],
  minimumRingSize: ["RingHash"],
  tableSize: ["Maglev"],
};

/** How endpoints are chosen. Defaults are told at each field. */
export const loadBalancer = z
  .strictObject({
    /** LeastRequest is Istio's default, too. */
    type: z
      .enum(["RoundRobin", "Random", "LeastRequest", "PeakEWMA", "RingHash", "Maglev"])
      .default("LeastRequest"),
    /** LeastRequest: endpoints drawn for each choice; 2 by default. Envoy's limit below is 2. */
    choiceCount: z.int().min(2).max(100).optional(),
    /** PeakEWMA: the time after which a latency counts for 1/e; 10 s by default (Linkerd). */
    decay: positiveDuration.optional(),
    /** PeakEWMA: the latency taken for an endpoint that was never called; 30 ms by default (Linkerd). */
    defaultRtt: positiveDuration.optional(),
    /** RingHash and Maglev: what a request is hashed by, the first of them that it has. */
    hashKey: z.array(hashKey).min(1).max(4).optional(),
    /** RingHash: points on the ring at least; 1,024 by default (Envoy, Istio). */
    minimumRingSize: z.int().min(1).max(65_536).optional(),
    /** Maglev: slots of the table, a prime; 65,537 by default (Envoy, Istio). */
    tableSize: z
      .int()
      .min(2)
      .max(MAX_TABLE_SIZE)
      .refine(isPrime, "must be a prime number, such as 65537")
      .optional(),
    /**
     * RingHash and Maglev: calls in flight of an endpoint in percent of the
     * average, at most; what does not fit goes to the next. No limit by
     * default (Envoy's `hash_balance_factor`).
     */
    boundFactor: z.int().min(101).max(1_000_000).optional(),
  })
  .superRefine((spec, context) => {
    for (const [field, types] of Object.entries(TYPES_OF)) {
      if (!Object.hasOwn(spec, field) || types.includes(spec.type)) continue;
      const message = `goes with type: ${types.join(" or ")} only`;
      context.addIssue({ code: "custom", path: [field], message });
    }
    const isHash = spec.type === "RingHash" || spec.type === "Maglev";
    if (isHash && spec.hashKey === undefined) {
      context.addIssue({
        code: "custom",
        path: ["hashKey"],
        message: `must be given with type: ${spec.type}`,
      });
    }
  });

export type LoadBalancerSpec = z.output<typeof loadBalancer>;

/**
 * `healthCheck` of a TrafficPolicy: how a service's endpoints are checked.
 *
 * @module
 */
import { z } from "zod";
import { parseDuration } from "../duration.ts";
import { absolutePath, duration, preciseHostname } from "./fields.ts";

const TYPES = ["HTTP", "TCP", "GRPC"] as const;

const NO_STATUS = "write a status such as 200, or a range such as 200-299; from 200 to 599";

/** `200` or `200-299`. Redirects are never a sign of health, so that they cannot be expected. */
const expectedStatus = z
  .union([z.int(), z.string().regex(/^[0-9]{3}(-[0-9]{3})?$/, NO_STATUS)], { error: NO_STATUS })
  .superRefine((value, context) => {
    const { first, last } = parseStatuses(value);
    const refuse = (message: string) => context.addIssue({ code: "custom", message });
    if (first < 200 || last > 599 || first > last) refuse(NO_STATUS);
    else if (first <= 399 && last >= 300) refuse("may not hold 300 to 399: redirects are not followed");
  });

/** Reads a status or a range of them. */
export function parseStatuses(value: number | string): { first: number; last: number } {
  const [first = Number.NaN, last = first] = String(value).split("-").map(Number);
  return { first, last };
}

const HTTP_FIELDS = ["path", "host", "expectedStatuses"] as const;

/** Alarms are not for less. */
const MIN_INTERVAL_MS = 1_000;

const interval = limited(MIN_INTERVAL_MS, 3_600_000, "must be from 1s to 1h");
const timeout = limited(100, 10_000, "must be from 100ms to 10s");

function limited(leastMs: number, mostMs: number, message: string) {
  return duration.refine((text) => {
    const ms = parseDuration(text) ?? 0;
    return ms >= leastMs && ms <= mostMs;
  }, message);
}

export const healthCheck = z
  .strictObject({
    /** HTTP by default. */
    type: z.enum(TYPES).default("HTTP"),
    /** `/` by default (Kubernetes). */
    path: absolutePath.optional(),
    /** The host that Workers see; `<service>.<namespace>` by default. Origins see their own. */
    host: preciseHostname.optional(),
    /** 200-299 by default (Consul). */
    expectedStatuses: z.array(expectedStatus).min(1).max(16).optional(),
    /** Which of a gRPC server's services is meant; the server as a whole by default (Kubernetes). */
    service: z
      .string()
      .regex(/^[!-~]{1,256}$/, "write 1 to 256 visible ASCII characters, such as shop.v1.Cart")
      .optional(),
    /** 10 s by default (Kubernetes). */
    interval: interval.optional(),
    /** A tenth of the interval by default. */
    jitter: duration.optional(),
    /** 1 s by default (Kubernetes). */
    timeout: timeout.optional(),
    /** 2 by default (HAProxy's `rise`). */
    healthyThreshold: z.int().min(1).max(100).optional(),
    /** 3 by default (HAProxy's `fall`, Kubernetes). */
    unhealthyThreshold: z.int().min(1).max(100).optional(),
    /** Healthy by default: a new check takes nothing away that it has not seen fail. */
    initialState: z.enum(["Healthy", "Unhealthy"]).optional(),
  })
  .superRefine((spec, context) => {
    const refuse = (field: string, message: string) =>
      context.addIssue({ code: "custom", path: [field], message });
    for (const field of HTTP_FIELDS) {
      if (spec.type !== "HTTP" && spec[field] !== undefined) refuse(field, "goes with type: HTTP only");
    }
    if (spec.type !== "GRPC" && spec.service !== undefined) refuse("service", "goes with type: GRPC only");
    const intervalMs = parseDuration(spec.interval ?? "10s") ?? 0;
    if (intervalMs < MIN_INTERVAL_MS) return;
    if ((parseDuration(spec.timeout ?? "1s") ?? 0) > intervalMs) refuse("timeout", "may not exceed interval");
    if ((parseDuration(spec.jitter ?? "0s") ?? 0) > intervalMs) refuse("jitter", "may not exceed interval");
  });

export type HealthCheckSpec = z.output<typeof healthCheck>;

/**
 * Istio's ServiceEntry and WorkloadEntry, as far as they can be translated
 * without a change of meaning. What cannot is refused here, at its field.
 *
 * @module
 */
import { z } from "zod";
import { labels, port, unique } from "./fields.ts";
import { exportTo, istioLocality, preciseHost } from "./istio-fields.ts";

const HTTP_ONLY = "must be HTTP, HTTPS, HTTP2, GRPC or TLS; other protocols are not supported yet";

const servicePort = z.strictObject({
  number: port,
  name: z.string().max(63),
  protocol: z
    .string()
    .transform((text) => text.toUpperCase())
    .pipe(z.enum(["HTTP", "HTTPS", "HTTP2", "GRPC", "TLS"], { error: HTTP_ONLY })),
  targetPort: port.optional(),
});

/** One place that answers. `address` is an IP address or a host name. */
export const workloadEntrySpec = z.strictObject({
  address: z
    .string()
    .min(1)
    .max(253)
    .regex(/^[A-Za-z0-9.:-]+$/, "must be an IP address or a host name"),
  ports: z.record(z.string(), port).default({}),
  labels: labels.default({}),
  network: z.string().optional(),
  locality: istioLocality.optional(),
  weight: z.int().min(0).max(1000).optional(),
  serviceAccount: z.string().max(253).optional(),
});

/** A service that answers outside of the registry, or by endpoints that are listed. */
export const serviceEntrySpec = z
  .strictObject({
    hosts: z.array(preciseHost).min(1).max(16),
    addresses: z.array(z.string()).max(256).default([]),
    ports: z
      .array(servicePort)
      .min(1)
      .max(1, "one port at most: an endpoint has one address; write a ServiceEntry for each port")
      .superRefine(unique(({ number }) => String(number), ["number"])),
    location: z.enum(["MESH_EXTERNAL", "MESH_INTERNAL"]).default("MESH_EXTERNAL"),
    resolution: z
      .enum(["STATIC", "DNS", "DNS_ROUND_ROBIN"], {
        error: "must be STATIC, DNS or DNS_ROUND_ROBIN: a call goes to an address that is known",
      })
      .default("DNS"),
    endpoints: z.array(workloadEntrySpec).max(1000).default([]),
    workloadSelector: z.strictObject({ labels: labels.default({}) }).optional(),
    exportTo,
    subjectAltNames: z.array(z.string()).max(16).default([]),
  })
  .refine(
    ({ resolution, endpoints, workloadSelector }) => {
      return resolution !== "STATIC" || endpoints.length > 0 || workloadSelector !== undefined;
    },
    { path: ["endpoints"], error: "resolution STATIC needs endpoints or workloadSelector" },
  )
  .refine(({ endpoints, workloadSelector }) => endpoints.length === 0 || workloadSelector === undefined, {
    path: ["workloadSelector"],
    error: "endpoints and workloadSelector exclude each other",
  });

export type WorkloadEntrySpec = z.output<typeof workloadEntrySpec>;
export type ServiceEntrySpec = z.output<typeof serviceEntrySpec>;

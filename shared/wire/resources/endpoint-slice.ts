/**
 * Kubernetes' EndpointSlice: the places of a Service that nobody selects.
 *
 * @module
 */
import { z } from "zod";
import { inert, localityText, port } from "./fields.ts";

/** The label that names the Service. */
export const SERVICE_NAME = "kubernetes.io/service-name";

const slicePort = z.strictObject({
  name: z.string().max(63).nullable().default(""),
  port: port.nullable().optional(),
  protocol: z.string().nullable().default("TCP"),
  appProtocol: z.string().nullable().optional(),
});

const conditions = z.strictObject({
  ready: z.boolean().nullable().optional(),
  serving: z.boolean().nullable().optional(),
  terminating: z.boolean().nullable().optional(),
});

const place = z.strictObject({
  addresses: z.array(z.string().min(1).max(253)).min(1).max(100),
  conditions: conditions.nullable().default({}),
  hostname: inert,
  nodeName: inert,
  /** Counts where the slice's label `topology.kubernetes.io/region` says of which region. */
  zone: localityText
    .refine((text) => !text.includes("/"), "write a zone, such as us-east-1a")
    .nullable()
    .optional(),
  hints: inert,
  targetRef: inert,
  deprecatedTopology: inert,
});

const fields = {
  addressType: z.enum(["IPv4", "IPv6", "FQDN"]),
  endpoints: z.array(place).max(1000).nullable().default([]),
  ports: z.array(slicePort).max(100).nullable().default([]),
};

export const endpointSliceSpec = z.strictObject(fields);

/** The fields beside `metadata`; `spec` is how the mesh keeps and prints them. */
export const endpointSliceFields = {
  spec: endpointSliceSpec.optional(),
  addressType: fields.addressType.optional(),
  endpoints: fields.endpoints,
  ports: fields.ports,
};

export type EndpointSliceSpec = z.output<typeof endpointSliceSpec>;
type Place = z.output<typeof place>;

/** The origin of an address at a port: `http://10.0.0.1:8080`. */
export function originOf(address: string, portNumber: number): string {
  return `http://${address.includes(":") ? `[${address}]` : address}:${portNumber}`;
}

/** Every origin that a slice names. */
export function originsOf({ endpoints, ports }: EndpointSliceSpec): string[] {
  const numbers = (ports ?? []).flatMap((one) => one.port ?? []);
  return (endpoints ?? []).flatMap(({ addresses }) =>
    addresses.flatMap((address) => numbers.map((number) => originOf(address, number))),
  );
}

/** Kubernetes: unknown readiness is readiness; what terminates gets no new calls. */
export function healthOf({ conditions: told }: Place): "healthy" | "unhealthy" | "draining" {
  if (told?.terminating === true) return "draining";
  return (told?.ready ?? true) ? "healthy" : "unhealthy";
}

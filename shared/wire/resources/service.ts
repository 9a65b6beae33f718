/**
 * Kubernetes' own kinds: Namespace, Service, ServiceAccount.
 *
 * @module
 */
import { z } from "zod";
import { inert, labels, notYet, port, unique } from "./fields.ts";

/** Only labels mean something: a Gateway may admit routes by them. */
export const namespaceSpec = z.strictObject({ finalizers: inert });

/** Accepted so that files for Kubernetes apply unchanged; workloads name their account themselves. */
export const serviceAccountSpec = z.strictObject({});

const servicePort = z.strictObject({
  name: z
    .string()
    .max(63)
    .regex(/^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$/, "use lower-case letters, digits and '-'")
    .default(""),
  port,
  targetPort: z.union([port, z.string()]).optional(),
  /** Calls go to TCP ports only; others are kept, and lead nowhere here. */
  protocol: z.enum(["TCP", "UDP", "SCTP"]).default("TCP"),
  appProtocol: z.string().optional(),
  nodePort: inert,
});

/**
 * A name that callers use. Endpoints of the namespace with all of
 * `selector`'s labels answer for it; without a selector only those that name
 * the service. Fields that speak of a cluster's network mean nothing here.
 */
export const serviceSpec = z.strictObject({
  selector: labels.default({}),
  ports: z
    .array(servicePort)
    .max(100)
    .default([])
    .superRefine(unique(({ port, protocol }) => `${port} ${protocol}`, ["port"]))
    .superRefine(unique(({ name }) => name, ["name"])),
  type: z
    .enum(["ClusterIP", "NodePort", "LoadBalancer"], {
      error:
        "must be ClusterIP, NodePort or LoadBalancer; ExternalName is not supported yet: declare an Endpoint",
    })
    .optional(),
  sessionAffinity: z.enum(["None"], { error: "not supported yet: write None or leave it out" }).optional(),
  externalName: notYet("declare an Endpoint with the address instead"),
  clusterIP: inert,
  clusterIPs: inert,
  ipFamilies: inert,
  ipFamilyPolicy: inert,
  internalTrafficPolicy: inert,
  externalTrafficPolicy: inert,
  publishNotReadyAddresses: inert,
});

export type NamespaceSpec = z.output<typeof namespaceSpec>;
export type ServiceSpec = z.output<typeof serviceSpec>;

/**
 * `selvedge.dev/v1 Endpoint`: one declared place that can answer for services.
 *
 * @module
 */
import { z } from "zod";
import { isReservedBinding, parseAddress } from "../address.ts";
import { localityText, serviceName } from "./fields.ts";
import { subdomain } from "../resource.ts";

const address = z.string().superRefine((text, context) => {
  const result = parseAddress(text);
  if (!result.ok) context.addIssue({ code: "custom", message: result.message });
});

/** A binding `mtls_certificates` of the mesh's Worker. */
const certificate = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_-]{0,62}$/,
    "write the name of an mtls_certificates binding of the mesh's Worker",
  )
  .refine((name) => !isReservedBinding(name), "may not be the mesh's own binding");

/**
 * The Services of its namespace whose selectors match its labels have it, and
 * those that it names itself. The `version` label is a dimension of metrics.
 */
export const endpointSpec = z
  .strictObject({
    /** `binding:NAME`, `dispatch:NAME` or `http(s)://host[:port]`. */
    address,
    /** Share of calls relative to the service's other endpoints. 1 to 1000; 1 unless given. */
    weight: z.int().min(1).max(1000).default(1),
    /** The edge's binding that shows a client certificate to the origin (mTLS), by name. Only for `https://`. */
    clientCertificate: certificate.optional(),
    /** Who runs there, as policies see it. `default` unless given, as in Kubernetes. */
    serviceAccount: subdomain.default("default"),
    /** The Worker behind it runs the mesh library. */
    joined: z.boolean().default(false),
    /** Somebody else's, outside of the mesh: it is not told who calls. */
    external: z.boolean().default(false),
    /** Where it is: `region` or `region/zone`, as Istio and Kubernetes name them, or a continent and a data centre of Cloudflare: `EU/FRA`. */
    locality: localityText.optional(),
    /** Services of the namespace that have it besides those that select it. */
    services: z.array(serviceName).max(100).default([]),
  })
  .refine(({ address, external }) => !external || /^https?:/.test(address), {
    path: ["external"],
    error: "goes with an address https://… or http://… only",
  })
  .refine(
    ({ address, clientCertificate }) => clientCertificate === undefined || address.startsWith("https://"),
    {
      path: ["clientCertificate"],
      error: "goes with an address https://… only",
    },
  );

export type EndpointSpec = z.output<typeof endpointSpec>;

/**
 * Gateway API's GatewayClass: who carries out the Gateways that name it.
 *
 * @module
 */
import { z } from "zod";
import { subdomain } from "../resource.ts";

/** The name by which classes and statuses mean this mesh. */
export const CONTROLLER = "selvedge.dev/gateway-controller";

const parametersRef = z.strictObject({
  group: z.string().max(253),
  kind: z.string().min(1).max(63),
  name: z.string().min(1).max(253),
  namespace: subdomain.optional(),
});

export const gatewayClassSpec = z.strictObject({
  /** Classes of other controllers are kept and mean nothing here. */
  controllerName: z
    .string()
    .max(253)
    .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?\/[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/, "write domain/path"),
  description: z.string().max(64).optional(),
  parametersRef: parametersRef.optional(),
});

export type GatewayClassSpec = z.output<typeof gatewayClassSpec>;

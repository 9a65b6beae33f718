/**
 * Istio's PeerAuthentication: whether callers must prove who they are.
 *
 * @module
 */
import { z } from "zod";
import { operation } from "./authorization-policy.ts";
import { workloadSelector } from "./fields.ts";
import { isPort } from "./match-text.ts";

const mtls = z.strictObject({
  mode: z
    .enum(["UNSET", "DISABLE", "PERMISSIVE", "STRICT"], {
      error: "must be STRICT, PERMISSIVE, DISABLE or UNSET",
    })
    .default("UNSET"),
});

/** How much the mesh's own tokens prove. Of several policies the narrowest that sets a field decides it. */
const tokens = z.strictObject({
  /** Operations to which one token lets one call through (RFC 7519's `jti`, used once). Empty: none. */
  once: z.array(operation).max(64).optional(),
  /** `Certificate`: a token counts only with the client certificate that it names (RFC 8705's `cnf`). */
  binding: z.enum(["None", "Certificate"], { error: "must be None or Certificate" }).optional(),
});

/**
 * In `selvedge-system` for the mesh, without a selector for its namespace,
 * with one for the workloads that it selects; the narrowest decides.
 */
export const peerAuthenticationSpec = z
  .strictObject({
    selector: workloadSelector.optional(),
    mtls: mtls.default({ mode: "UNSET" }),
    /** By the port of the service that is called. */
    portLevelMtls: z
      .record(z.string().refine(isPort, "must be a port, 1 to 65535"), mtls)
      .refine((ports) => Object.keys(ports).length <= 64, "at most 64 ports")
      .optional(),
    tokens: tokens.optional(),
  })
  .refine(({ selector, portLevelMtls }) => portLevelMtls === undefined || selector !== undefined, {
    path: ["portLevelMtls"],
    error: "needs a selector: ports are a workload's",
  });

export type PeerAuthenticationSpec = z.output<typeof peerAuthenticationSpec>;

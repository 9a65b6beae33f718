/**
 * Istio's PeerAuthentication: whether callers must prove who they are.
 *
 * @module
 */
import { z } from "zod";
import { workloadSelector } from "./fields.ts";
import { isPort } from "./match-text.ts";

const mtls = z.strictObject({
  mode: z
    .enum(["UNSET", "DISABLE", "PERMISSIVE", "STRICT"], {
      error: "must be STRICT, PERMISSIVE, DISABLE or UNSET",
    })
    .default("UNSET"),
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
  })
  .refine(({ selector, portLevelMtls }) => portLevelMtls === undefined || selector !== undefined, {
    path: ["portLevelMtls"],
    error: "needs a selector: ports are a workload's",
  });

export type PeerAuthenticationSpec = z.output<typeof peerAuthenticationSpec>;

/**
 * Istio's PeerAuthentication: whether callers must prove who they are.
 *
 * @module
 */
import { z } from "zod";
import { notYet, workloadSelector } from "./fields.ts";

/**
 * In `selvedge-system` for the mesh, without a selector for its namespace,
 * with one for the workloads that it selects; the narrowest decides.
 */
export const peerAuthenticationSpec = z.strictObject({
  selector: workloadSelector.optional(),
  mtls: z
    .strictObject({
      mode: z
        .enum(["UNSET", "PERMISSIVE", "STRICT"], {
          error: "must be STRICT, PERMISSIVE or UNSET; DISABLE is not supported yet: use PERMISSIVE",
        })
        .default("UNSET"),
    })
    .default({ mode: "UNSET" }),
  portLevelMtls: notYet("portLevelMtls"),
});

export type PeerAuthenticationSpec = z.output<typeof peerAuthenticationSpec>;

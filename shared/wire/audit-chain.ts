/**
 * The logs of the mesh as their readers check them: lines with their hashes.
 *
 * @module
 */
import { z } from "zod";

/**
 * `operations`: what was done by the admin API and who failed to use it.
 * `configuration`: the revisions. `issuance`: what the authority has signed.
 */
export const AUDIT_LOGS = ["operations", "configuration", "issuance"] as const;

export type AuditLog = (typeof AUDIT_LOGS)[number];

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const point = z.object({ number: z.int().min(0), hash });

/** What `GET /audit/chain` answers. */
export const auditChain = z
  .object({
    anchor: point.meta({
      description: "The newest line that is gone because of its age; number 0 for none.",
    }),
    lines: z
      .array(
        point.extend({
          content: z.string().meta({
            description:
              "JSON. The line's hash is the SHA-256 of the hash before it, a line feed and this text.",
          }),
        }),
      )
      .readonly()
      .meta({ description: "Oldest first. Fewer than asked for may be all that fits into one answer." }),
    head: point.meta({ description: "The newest line of the log." }),
  })
  .meta({ id: "AuditChain" });

/** A part of a log. */
export type ChainPage = z.infer<typeof auditChain>;

/** Which part of a log. */
export interface ChainRequest {
  /** Lines with greater numbers. */
  readonly after: number;
  /** At most so many; an object may answer fewer. */
  readonly limit: number;
}

/**
 * Schemas of the admin API about who may use it, and of the log of who did:
 * strict for requests, and not for answers, as in `admin.ts`.
 *
 * @module
 */
import { z } from "zod";
import { ROLES } from "./access.ts";
import { label, subdomain } from "./resource.ts";

const scope = z
  .array(label)
  .min(1)
  .max(100)
  .readonly()
  .nullable()
  .meta({ description: "Where the role counts; null is everywhere." });

/** Who the bearer is. */
export const principal = z
  .object({ id: z.string(), role: z.enum(ROLES), namespaces: z.array(z.string()).readonly().nullable() })
  .meta({ id: "Principal" });

/** The longest that a token for the admin API lasts, in seconds: a year. */
const MAX_ACCESS_SECONDS = 366 * 86_400;

/** Body of `POST /access`. */
export const accessRequest = z
  .strictObject({
    name: subdomain.meta({ description: "Names the bearer in revisions and the audit log." }),
    role: z.enum(ROLES),
    namespaces: scope.default(null),
    ttlSeconds: z
      .int()
      .min(60)
      .max(MAX_ACCESS_SECONDS)
      .default(90 * 86_400)
      .meta({ description: "A minute to a year; 90 days unless given." }),
  })
  .refine(({ role, namespaces }) => role !== "editor" || namespaces !== null, {
    path: ["namespaces"],
    error: "an editor needs the namespaces that it edits",
  })
  .refine(({ role, namespaces }) => role !== "admin" || namespaces === null, {
    path: ["namespaces"],
    error: "an admin's role counts everywhere: leave it out",
  })
  .meta({ id: "AccessRequest" });

const accessToken = z
  .object({
    id: z.string().meta({ description: "Part of the token's text: slv_<id>_…" }),
    name: z.string(),
    role: z.enum(ROLES),
    namespaces: z.array(z.string()).readonly().nullable(),
    createdAt: z.number(),
    createdBy: z.string(),
    expiresAt: z.number(),
    usedAt: z.number().nullable().meta({ description: "Roughly: kept at most once an hour." }),
  })
  .meta({ id: "AccessToken" });

/** What `GET /access` answers. */
export const accessList = z.object({ items: z.array(accessToken).readonly() }).meta({ id: "AccessList" });

/** What `DELETE /access/{id}` answers. */
export const revokedAccess = accessToken;

/** What `POST /access` answers: the only time that the token is told. */
export const grantedAccess = accessToken.extend({ token: z.string() }).meta({ id: "GrantedAccess" });

/** What `GET /audit` answers, newest first. */
export const auditList = z
  .object({
    items: z
      .array(
        z.object({
          at: z.number().meta({ description: "Milliseconds since the epoch." }),
          principal: z.string(),
          action: z.string().meta({ description: "Such as `apply` or `token.grant`." }),
          target: z.string().meta({ description: "What it was done to." }),
          detail: z.string(),
          address: z.string().meta({ description: "The client's; empty when nobody told it." }),
          requestId: z.string(),
          revision: z
            .int()
            .optional()
            .meta({ description: "Of a change of configuration: `diff` shows it." }),
          number: z
            .int()
            .optional()
            .meta({ description: "Of the line in the log of operations; absent from revisions." }),
          hash: z.string().optional().meta({ description: "With which the chain of that log goes on." }),
        }),
      )
      .readonly(),
  })
  .meta({ id: "AuditList" });
export type AuditList = z.infer<typeof auditList>;

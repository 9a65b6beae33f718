/**
 * Gateway API's `sessionPersistence` (GEP-1619), as routes and traffic
 * policies have it.
 *
 * @module
 */
import { z } from "zod";
import { headerName, positiveDuration } from "./fields.ts";

/** A cookie's path: what RFC 6265 lets stand in the attribute. */
export const cookiePath = z
  .string()
  .max(1024)
  .regex(/^\/[!-:<-~]*$/, "begins with '/' and holds visible ASCII characters except ';'");

/**
 * Keeps a client's calls at the endpoint of its first one. `type` Cookie is
 * the default; the cookie is a session's unless `cookieConfig.lifetimeType` is
 * Permanent, which needs an `absoluteTimeout`. `sessionName` defaults to
 * `selvedge-session`.
 */
export const sessionPersistence = z
  .strictObject({
    sessionName: headerName.max(128).default("selvedge-session"),
    absoluteTimeout: positiveDuration.optional(),
    /** Kept by the client, as all of a session is: while it calls, it is told the time of its latest call. */
    idleTimeout: positiveDuration.optional(),
    type: z.enum(["Cookie", "Header"]).default("Cookie"),
    cookieConfig: z
      .strictObject({
        lifetimeType: z.enum(["Session", "Permanent"]).default("Session"),
        /** Ours: where the cookie holds. */
        path: cookiePath.optional(),
      })
      .optional(),
  })
  .refine(
    ({ cookieConfig, absoluteTimeout }) =>
      cookieConfig?.lifetimeType !== "Permanent" || absoluteTimeout !== undefined,
    {
      path: ["absoluteTimeout"],
      error: "must be given when cookieConfig.lifetimeType is Permanent",
    },
  )
  .refine(({ type, cookieConfig }) => type === "Cookie" || cookieConfig === undefined, {
    path: ["cookieConfig"],
    error: "goes with type: Cookie only",
  });

export type SessionPersistenceSpec = z.output<typeof sessionPersistence>;

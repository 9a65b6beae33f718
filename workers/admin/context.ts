/**
 * What every handler of the admin API has at hand.
 *
 * @module
 */
import type { Env } from "../../durable-objects/env.ts";

/** Types of Hono's context: the Worker's bindings, and what the guards have found out. */
export interface AdminEnv {
  Bindings: Env;
  Variables: {
    /** Names the request in answers and logs. */
    requestId: string;
  };
}

/** Who changes configuration, as revisions keep it: there is one admin token. */
export const AUTHOR = "admin";

/**
 * What every handler of the admin API has at hand.
 *
 * @module
 */
import type { Context } from "hono";
import type { Env } from "../../durable-objects/env.ts";
import type { Principal } from "../../shared/wire/access.ts";
import type { Origin, Via } from "../../shared/wire/rpc.ts";

/** Types of Hono's context: the Worker's bindings, and what the guards have found out. */
export interface AdminEnv {
  Bindings: Env;
  Variables: {
    /** Names the request in answers and logs. */
    requestId: string;
    /** Who asks; nobody but for public operations. */
    principal: Principal;
  };
}

/** Who asks and from where, for the audit log. */
export function originOf(c: Context<AdminEnv>): Origin {
  return { principal: c.var.principal.id, ...viaOf(c) };
}

/** The way of a request, for revisions. */
export function viaOf(c: Context<AdminEnv>): Via {
  return { address: addressOf(c), requestId: c.var.requestId };
}

/** The client's address as the platform tells it; empty where there is no platform. */
export function addressOf(c: Context<AdminEnv>): string {
  return c.req.header("cf-connecting-ip") ?? "";
}

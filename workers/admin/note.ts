/**
 * The audit log of what is done by the admin API and is no revision: a line
 * follows its change, and the change is answered once both are written.
 *
 * @module
 */
import type { Context } from "hono";
import { adminOf } from "../../durable-objects/env.ts";
import type { AuditEvent } from "../../shared/wire/admin-rpc.ts";
import { addressOf, originOf, type AdminEnv } from "./context.ts";

/** An isolate asks once in this time and address whether the use of the bootstrap token has been told. */
const TELL_EVERY_MS = 3_600_000;

/** Addresses that an isolate remembers; of more, the oldest is forgotten, and told again. */
const MAX_REMEMBERED = 1_000;

const toldUntil = new Map<string, number>();

/** Writes down what the principal has done. */
export async function note(
  c: Context<AdminEnv>,
  event: Pick<AuditEvent, "action" | "target" | "detail">,
): Promise<void> {
  await adminOf(c.env).record({ ...originOf(c), ...event });
}

/**
 * Writes down that the bootstrap token is in use, before anything is done with
 * it. It works even while the log cannot be written, because it is what
 * remains when nothing else does: then the Worker's own log has the line.
 */
export async function tellBreakGlass(c: Context<AdminEnv>, principal: string): Promise<void> {
  const address = addressOf(c);
  const now = Date.now();
  if ((toldUntil.get(address) ?? 0) > now) return;
  const { method, path } = c.req;
  const { requestId } = c.var;
  const target = `${method} ${path}`.slice(0, 200);
  const event = { principal, address, requestId, action: "break-glass", target, detail: "bootstrap token" };
  try {
    await adminOf(c.env).breakGlass(event);
    remember(address, now + TELL_EVERY_MS);
  } catch (error) {
    console.error(JSON.stringify({ level: "error", at: "break-glass", ...event, error: String(error) }));
  }
}

function remember(address: string, until: number): void {
  const [oldest] = toldUntil.keys();
  if (oldest !== undefined && toldUntil.size >= MAX_REMEMBERED) toldUntil.delete(oldest);
  toldUntil.set(address, until);
}

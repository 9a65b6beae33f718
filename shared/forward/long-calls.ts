/**
 * Calls that stay open long after they were admitted, WebSockets and streams
 * of events: looked at again when policies or revocations change, and cut
 * when they would not be admitted any more.
 *
 * Each looks after itself, by timers of its own invocation: another
 * invocation may not touch its connection.
 *
 * @module
 */
import type { UnitKey } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import { statusOf } from "./answers.ts";
import type { Held } from "./ports.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";
import type { Mesh } from "./state.ts";
import { prepare } from "./sync.ts";

/** Between two looks: half of what a revocation may take. */
const LOOK_EVERY_MS: Millis = 500;

/** Whether a response belongs to a call that may stay open for hours. */
export function isLongLived({ status, headers }: Response): boolean {
  return status === 101 || headers.get("content-type")?.startsWith("text/event-stream") === true;
}

/** A call that is watched over. */
export interface LongCall {
  readonly held: Held;
  readonly requestId: string;
  /** Units that its admission depends on. */
  readonly needs: readonly UnitKey[];
  /** Decides anew whether it may go on. `null` admits. */
  readonly admit: () => Promise<Refusal | null>;
}

/** Watches over a call while it is open, and decides anew once for each change of the view. Never rejects. */
export async function watchOver(mesh: Mesh, { held, requestId, needs, admit }: LongCall): Promise<void> {
  const { snapshot } = mesh.state;
  let { view } = snapshot;
  while (held.isOpen()) {
    await mesh.ports.sleep(LOOK_EVERY_MS);
    if (!held.isOpen()) return;
    const loading = prepare(mesh, needs);
    if (loading !== null) await loading;
    if (snapshot.view === view) continue;
    view = snapshot.view;
    const refusal = await refusalNow(admit);
    if (refusal === null || !held.isOpen()) continue;
    mesh.ports.log({ event: "call.cut", req_id: requestId, reason: refusal.problem.code });
    held.cut();
  }
}

/**
 * A proof that has run out meanwhile was good when the call began, and a
 * control plane that cannot be asked is no reason to cut everybody off.
 */
async function refusalNow(admit: LongCall["admit"]): Promise<Refusal | null> {
  try {
    const refusal = await admit();
    if (refusal === null || refusal.problem.code === "authn.token.expired") return null;
    return [401, 403].includes(statusOf(refusal)) ? refusal : null;
  } catch {
    // Deciding failed: closed, as at the door.
    return refuse("authz.error", "The policy could not be decided.");
  }
}

/**
 * Calls that stay open long after they were admitted, WebSockets, streams in
 * either direction and calls that wait long for their answer: looked at again
 * when policies or revocations change, and cut when they would not be admitted
 * any more.
 *
 * Each looks after itself, by timers of its own invocation: another
 * invocation may not touch its connection.
 *
 * @module
 */
import { mayStayOpen } from "../engine/long-lived.ts";
import type { UnitKey } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import { statusOf } from "./answers.ts";
import { refuse } from "./refusal.ts";
import type { Answer, Refusal } from "./refusal.ts";
import type { Mesh } from "./state.ts";
import { prepare } from "./sync.ts";
import type { View } from "./view.ts";

/** Between two looks: half of what a revocation may take. */
const LOOK_EVERY_MS: Millis = 500;
/** A call that does not look for so long has died with its invocation: the platform ends those without a word. */
const DEAD_AFTER_MS: Millis = 10 * LOOK_EVERY_MS;
/** Calls that an isolate watches over at a time; each is a connection in the middle of which it stands. */
export const MAX_LONG_CALLS = 4_000;
/** A call that may take longer than this is watched over while it waits for its answer; others end in time by themselves. */
const PATIENT_MS: Millis = 30_000;
/** So long nobody looks after a call that waits: nearly all are answered by then. */
const FIRST_LOOK_MS: Millis = 1_000;

/** A call, as far as it must be known to decide about it again. */
export interface LongCall {
  readonly requestId: string;
  /** Units that its admission depends on now. */
  readonly needs: () => readonly UnitKey[];
  /** What it was admitted by, or an earlier view: what has changed since is decided about at the first look. */
  readonly view: View;
  /** Decides anew whether it may go on. `null` admits. */
  readonly admit: () => Promise<Refusal | null>;
}

/** One that is watched over. */
export interface Watched {
  /** When it was last looked after. */
  lookedAt: Millis;
}

/** What there is to end of a call. */
interface Open {
  isOpen(): boolean;
  cut(refusal: Refusal): void;
}

/** Whether a call may wait so long for its answer that it is watched over meanwhile; `null` is no limit. */
export function mayWaitLong(limitMs: Millis | null): boolean {
  return limitMs === null || limitMs > PATIENT_MS;
}

/** Whether a response belongs to a call that may stay open for hours. */
export function isLongLived({ status, headers }: Response, isPatient: boolean): boolean {
  if (status === 101 || mayStayOpen(headers)) return true;
  // Where nobody limits the time of calls, what is endless may be of any type.
  return isPatient && !headers.has("content-length");
}

/**
 * Runs `work`, which waits for a call's answer, and watches over the call
 * meanwhile. The signal tells it that the caller, `departure`, has gone, or
 * that the call is cut: then the refusal is the answer.
 */
export async function watchWhile(
  mesh: Mesh,
  call: LongCall,
  departure: AbortSignal | null,
  work: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const control = new AbortController();
  const state: { isOpen: boolean; refusal: Refusal | null } = { isOpen: true, refusal: null };
  // It may have gone while its proofs were verified.
  if (departure?.aborted === true) control.abort();
  departure?.addEventListener("abort", () => control.abort(), { once: true });
  const waiting: Open = {
    isOpen: () => state.isOpen,
    cut: (refusal) => {
      state.refusal = refusal;
      control.abort();
    },
  };
  const cancel = mesh.ports.timer(FIRST_LOOK_MS, () => void watchOver(mesh, call, waiting));
  try {
    const answer = await work(control.signal);
    return state.refusal ?? answer;
  } finally {
    state.isOpen = false;
    cancel();
  }
}

/**
 * Holds a response that stays open, and watches over it from then on. Its
 * request ends with it. Refuses when the isolate watches over as many calls as it can.
 */
export function holdOpen(mesh: Mesh, call: LongCall, response: Response): Answer {
  const held = mesh.ports.hold(response);
  if (held === null) return { kind: "response", response };
  if (!hasRoom(mesh)) {
    held.cut();
    return crowded();
  }
  void watchOver(mesh, call, held);
  return { kind: "response", response: held.response };
}

/** Watches over a call while it is open, and decides anew once for each change of the view. Never rejects. */
export async function watchOver(
  mesh: Mesh,
  { requestId, needs, view, admit }: LongCall,
  open: Open,
): Promise<void> {
  const { snapshot, longCalls, meter } = mesh.state;
  if (!hasRoom(mesh)) return open.cut(crowded());
  meter.host.longCalls += 1;
  const watched: Watched = { lookedAt: mesh.ports.now() };
  longCalls.add(watched);
  for (let seen = view; open.isOpen();) {
    await mesh.ports.sleep(LOOK_EVERY_MS);
    watched.lookedAt = mesh.ports.now();
    if (!open.isOpen()) break;
    const loading = prepare(mesh, needs());
    if (loading !== null) await loading;
    if (snapshot.view === seen) continue;
    seen = snapshot.view;
    const refusal = await refusalNow(admit);
    if (refusal === null || !open.isOpen()) continue;
    mesh.ports.log({ event: "call.cut", req_id: requestId, reason: refusal.problem.code });
    meter.host.cutCalls += 1;
    open.cut(refusal);
    break;
  }
  longCalls.delete(watched);
}

/** Whether one more call can be watched over. Those that died with their invocations do not count. */
function hasRoom({ state: { longCalls }, ports }: Mesh): boolean {
  if (longCalls.size < MAX_LONG_CALLS) return true;
  const now = ports.now();
  for (const watched of longCalls) if (now - watched.lookedAt > DEAD_AFTER_MS) longCalls.delete(watched);
  return longCalls.size < MAX_LONG_CALLS;
}

function crowded(): Refusal {
  return refuse("overload.long_calls", "Too many calls stay open here: try again.", 1_000);
}

/**
 * A proof that has run out meanwhile was good when the call began, and a
 * control plane that cannot be asked is no reason to cut everybody off.
 */
async function refusalNow(admit: LongCall["admit"]): Promise<Refusal | null> {
  try {
    const refusal = await admit();
    if (refusal === null || refusal.problem.code === "authn.token.expired") return null;
    // An external authorizer may say no in any status, as by a redirection to where users log in.
    const isDenied = refusal.problem.code === "authz.custom" || [401, 403].includes(statusOf(refusal));
    return isDenied ? refusal : null;
  } catch {
    // Deciding failed: closed, as at the door.
    return refuse("authz.error", "The policy could not be decided.");
  }
}

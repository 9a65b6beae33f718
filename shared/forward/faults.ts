/**
 * Faults: what goes wrong with a call on purpose.
 *
 * @module
 */
import type { Caller } from "../engine/authorize.ts";
import * as fault from "../engine/fault.ts";
import type { Abort, LinkedFault } from "../engine/fault.ts";
import type { RequestView } from "../engine/request.ts";
import * as timeout from "../engine/timeout.ts";
import type { Timeouts } from "../engine/timeout.ts";
import type { Trail } from "./call.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";
import type { Mesh } from "./state.ts";

/** Of a call, what faults look at: a `Call` is one. */
export interface Victim {
  readonly mesh: Mesh;
  readonly view: RequestView;
  readonly caller: Caller | null;
  readonly trail: Trail;
}

/**
 * Delays a call and aborts it, as its faults ask for. A delay takes from the
 * call's own time: one that would outlast it ends with the deadline. `null`:
 * the call goes on.
 */
export async function suffer(
  victim: Victim,
  faults: readonly LinkedFault[],
  timeouts: Timeouts,
): Promise<Refusal | null> {
  const { ports } = victim.mesh;
  const chance = { random: ports.random, now: ports.now() };
  const { delayMs, abort, by } = fault.inject(faults, victim.view, victim.caller, chance);
  if (by !== null) victim.trail.decider = by;
  if (delayMs > 0) {
    const leftMs = timeout.remainingMs(timeouts, victim.trail.arrivedAt, chance.now);
    await ports.sleep(Math.min(delayMs, leftMs ?? delayMs));
    if (leftMs !== null && leftMs <= delayMs)
      return refuse("upstream.timeout", "A fault that is injected on purpose took all the time there was.");
  }
  return abort === null ? null : aborted(abort);
}

function aborted({ status, grpcStatus }: Abort): Refusal {
  const refusal = { ...refuse("fault.abort", "A fault is injected on purpose."), status };
  return grpcStatus === undefined ? refusal : { ...refusal, grpcStatus };
}

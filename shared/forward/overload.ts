/**
 * Protects a workload from more calls than it can work on, where the host
 * sees all of them.
 *
 * @module
 */
import * as overload from "../engine/overload.ts";
import type { Controller, Moment, OverloadPolicy } from "../engine/overload.ts";
import type { Priority } from "../engine/priority.ts";
import { heldUntil } from "../engine/slot.ts";
import type { Millis } from "../engine/time.ts";
import { onDeparture } from "./departure.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";
import type { Mesh } from "./state.ts";

/** A call that the workload works on. Its `end`: there is an answer. */
export interface Stay {
  readonly kind: "stay";
  end(): void;
}

export interface Visitor {
  readonly priority: Priority;
  /** What is left of the call's time; `null` is no limit. */
  readonly leftMs: Millis | null;
}

/** Lets a call in, or sheds it: those of low priority first. */
export function enter(mesh: Mesh, policy: OverloadPolicy, { priority, leftMs }: Visitor): Stay | Refusal {
  const { ports } = mesh;
  const moment = momentOf(mesh);
  const controller = controllerOf(mesh, policy, moment);
  const until = heldUntil(moment.now, leftMs);
  const visit = overload.admit(controller, policy, { priority, until }, moment);
  if (visit === null)
    return refuse("overload.shed", "The workload has as many calls as it can work on.", 1_000);
  const stay = onDeparture(ports, () => overload.giveUp(controller, visit));
  return {
    kind: "stay",
    end: () => {
      stay();
      overload.finish(controller, policy, visit, momentOf(mesh));
    },
  };
}

function controllerOf({ state }: Mesh, policy: OverloadPolicy, moment: Moment): Controller {
  return (state.overload ??= overload.createController(policy, moment));
}

function momentOf({ ports }: Mesh): Moment {
  return { now: ports.now(), random: ports.random };
}

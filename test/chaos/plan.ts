/**
 * What goes wrong when, as data: a run that failed is run again from its seed,
 * or from the plan that it printed.
 *
 * @module
 */
import { setTimeout } from "node:timers/promises";
import type { Rotation, Withdrawal } from "./authority.ts";
import type { Behavior } from "./behavior.ts";
import type { Document } from "./documents.ts";
import type { Fleet } from "./fleet.ts";
import type { ObjectClass, ObjectFault } from "./objects.ts";
import type { Upstreams } from "./upstreams.ts";

export type Act =
  | { readonly kind: "behave"; readonly upstream: string; readonly behavior: Behavior }
  | { readonly kind: "break"; readonly className: ObjectClass; readonly fault: ObjectFault }
  | { readonly kind: "mend"; readonly className: ObjectClass }
  | { readonly kind: "evict"; readonly className: ObjectClass }
  /** Ends the mesh's process at once. */
  | { readonly kind: "kill" }
  | { readonly kind: "apply"; readonly documents: readonly Document[] }
  | { readonly kind: "rotate"; readonly what: Rotation }
  | { readonly kind: "revoke"; readonly withdrawal: Withdrawal };

export interface Step {
  /** After the begin of the run. */
  readonly atMs: number;
  readonly act: Act;
}

/** How much of it there is. */
export interface Size {
  /** Of everything that chance decides in the harness. */
  readonly seed: number;
  /** How long there is load. */
  readonly forMs: number;
  /** Calls; 0 where they go as fast as they are answered. */
  readonly perSecond: number;
}

export interface Plan extends Size {
  /** In order of time. */
  readonly steps: readonly Step[];
}

/** A step that was taken. Times are milliseconds since the epoch. */
export interface Taken extends Step {
  /** When it began to be taken: from then on it may be felt. */
  readonly from: number;
  /** When it was in force. */
  readonly at: number;
}

/** What a plan acts on. */
export interface Stage {
  readonly fleet: Fleet;
  readonly upstreams: Upstreams;
}

/** Takes the steps of a plan at their times, and tells when that was. */
export async function play(plan: Plan, stage: Stage): Promise<readonly Taken[]> {
  const begin = Date.now();
  const taken: Taken[] = [];
  for (const step of plan.steps) {
    await setTimeout(Math.max(0, begin + step.atMs - Date.now()));
    const from = Date.now();
    await take(step.act, stage);
    taken.push({ ...step, from, at: Date.now() });
  }
  return taken;
}

async function take(act: Act, { fleet, upstreams }: Stage): Promise<void> {
  switch (act.kind) {
    case "behave":
      return upstreams.behave(act.upstream, act.behavior);
    case "break":
      return fleet.objects.break(act.className, act.fault);
    case "mend":
      return fleet.objects.mend(act.className);
    case "evict":
      return void (await fleet.objects.evict(act.className));
    case "kill":
      return fleet.runtime.kill();
    case "apply":
      return void (await fleet.apply(act.documents));
    case "rotate":
      return fleet.authority.rotate(act.what);
    case "revoke":
      return fleet.authority.revoke(act.withdrawal);
  }
}

/**
 * What happens to an answer of the registry: it is taken into the view, whole
 * or not at all.
 *
 * @module
 */
import type { CompilePattern } from "../engine/route.ts";
import type { Millis } from "../engine/time.ts";
import type { StoredMark, SyncAnswer } from "../wire/registry-rpc.ts";
import type { Mesh } from "./state.ts";
import { covers, fillIn, swapIn } from "./view.ts";
import type { Linking, Swap, View } from "./view.ts";

/** Takes in what was asked on the basis of `base`, and known to be current at `at`. Answers whether it was taken. */
export async function land(mesh: Mesh, base: View, answer: SyncAnswer, at: Millis): Promise<boolean> {
  const { snapshot } = mesh.state;
  const isTaken = await take(mesh, (linking) =>
    isOvertaken(base, snapshot.view, answer) ? null : swapIn(snapshot.view, answer, linking),
  );
  if (isTaken) snapshot.currentAt = Math.max(snapshot.currentAt, at);
  return isTaken;
}

/** Takes in what the registry's store had. It may be minutes old, so the view is no more current for it. */
export async function landStored(mesh: Mesh, answer: SyncAnswer, { refused }: StoredMark): Promise<void> {
  const { snapshot, meter } = mesh.state;
  meter.host.refusedSnapshots += refused;
  await take(mesh, (linking) => fillIn(snapshot.view, answer, linking));
}

/** Does not tell of changes to what other answers brought in meanwhile. */
function isOvertaken(base: View, view: View, answer: SyncAnswer): boolean {
  if (view === base || view.version === answer.version) return false;
  return answer.version < view.version || !covers(base, view);
}

/** Swaps the view for what `swap` makes of it. Answers whether it made anything. */
async function take(mesh: Mesh, swap: (linking: Linking) => Swap | null): Promise<boolean> {
  const { snapshot, meter } = mesh.state;
  const linked = link(mesh, swap);
  if (linked === "patterns-needed") {
    snapshot.compilePattern = await mesh.ports.patterns();
    // Meanwhile the view may have been swapped for another.
    return take(mesh, swap);
  }
  if (linked === null) return false;
  if (linked.kind === "refused") {
    meter.host.refusedSnapshots += 1;
    mesh.ports.log({ event: "snapshot.refused", why: linked.why.slice(0, 256) });
    return false;
  }
  snapshot.view = linked.view;
  return true;
}

/** Links an answer. Whether it has regular expressions is found out by the way: most have none. */
function link(mesh: Mesh, swap: (linking: Linking) => Swap | null): Swap | "patterns-needed" | null {
  const { snapshot } = mesh.state;
  const seen = { isMissing: false };
  const missing: CompilePattern = () => {
    seen.isMissing = true;
    return () => false;
  };
  const { random } = mesh.ports;
  const linked = swap({ random, compilePattern: snapshot.compilePattern ?? missing });
  return seen.isMissing ? "patterns-needed" : linked;
}

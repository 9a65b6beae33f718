/**
 * Circuits of one service as an isolate keeps them, and what it tells the
 * mesh's shared circuit of them.
 *
 * @module
 */
import * as circuit from "../engine/circuit.ts";
import type { Circuit } from "../engine/circuit.ts";
import type { TryOutcome } from "../engine/retry.ts";
import type { Millis } from "../engine/time.ts";
import type { CircuitReport } from "../wire/rpc.ts";
import { within } from "./patience.ts";
import type { Plan } from "./plan.ts";
import type { Mesh } from "./state.ts";
import type { LinkedService } from "./view.ts";

/** A probe waits no longer for the mesh's leave. */
const CLAIM_WAIT_MS = 250;

/**
 * Whether a call may go to the endpoint now. The half-open probe needs the
 * mesh's leave, so that of all isolates one tries; if the mesh cannot be
 * asked, this isolate decides alone.
 */
export async function admit(mesh: Mesh, { service, pool }: Plan, endpoint: string): Promise<boolean> {
  const { circuits } = service.traffic;
  const known = circuits.get(endpoint);
  if (known === undefined || known.kind === "closed") return true;
  const admission = circuit.admit(known, pool.policy.circuit, mesh.ports.now());
  circuits.set(endpoint, admission.circuit);
  if (admission.kind === "reject") return false;
  // It was due for no probe, and is used for want of better ones.
  if (admission.circuit === known || admission.circuit.kind !== "probing") return true;
  const { since, probeAt } = admission.circuit;
  return claimProbe(mesh, service, endpoint, probeAt - since);
}

/**
 * Folds a try's outcome into the endpoint's circuit: a failure is a 5xx, or no
 * response at all. A call to a pinned endpoint counts at the host that chose
 * it: two hosts on one way are not two that agree.
 */
export function settle(
  mesh: Mesh,
  { service, pool, pin }: Plan,
  endpoint: string,
  outcome: TryOutcome,
): void {
  if (pin !== null) return;
  const { circuits } = service.traffic;
  const before = circuits.get(endpoint) ?? circuit.CLOSED;
  const isFailure = outcome.kind !== "response" || outcome.status >= 500;
  const policy = pool.policy.circuit;
  if (!isFailure && before === circuit.CLOSED && policy.failureRatio === undefined) return;
  const { now, random } = mesh.ports;
  const after = circuit.record(before, policy, isFailure ? "failure" : "success", { now: now(), random });
  if (after === circuit.CLOSED) circuits.delete(endpoint);
  else circuits.set(endpoint, after);
  report(mesh, service, { endpoint, before, after });
}

/** Milliseconds until the first open circuit lets a probe out; `null` when none is open. */
export function probeInMs(mesh: Mesh, service: LinkedService): number | null {
  const now = mesh.ports.now();
  const open = [...service.traffic.circuits.values()].filter((each) => circuit.isOpen(each, now));
  const waits = open.map((each) => (each.kind === "closed" ? 0 : each.probeAt - now));
  return waits.length === 0 ? null : Math.min(...waits);
}

async function claimProbe(
  mesh: Mesh,
  service: LinkedService,
  endpoint: string,
  forMs: Millis,
): Promise<boolean> {
  const { control } = mesh.ports;
  try {
    const claiming = control.claimProbe(service.id, endpoint, mesh.state.reporter, forMs);
    return await within(mesh.ports, claiming, CLAIM_WAIT_MS);
  } catch {
    // Fail static: without the shared circuit an endpoint must still be able to come back.
    return true;
  }
}

interface Transition {
  readonly endpoint: string;
  readonly before: Circuit;
  readonly after: Circuit;
}

/** Tells the shared circuit of a circuit that opened or closed; a lost report is made good by the next transition. */
function report(mesh: Mesh, service: LinkedService, { endpoint, before, after }: Transition): void {
  const isOpening = after.kind === "open" && before.kind !== "open";
  const isClosing = after.kind === "closed" && before.kind !== "closed";
  if (!isOpening && !isClosing) return;
  if (isOpening && before.kind === "closed") mesh.state.meter.host.openedCircuits += 1;
  const { reporter } = mesh.state;
  const transition: CircuitReport =
    after.kind === "closed"
      ? { endpoint, reporter, state: "closed" }
      : { endpoint, reporter, state: "open", openForMs: after.probeAt - after.since };
  const reporting = mesh.ports.control.reportCircuits(service.id, [transition]);
  mesh.ports.defer(
    reporting.catch((error: unknown) => {
      mesh.ports.log({
        event: "circuit.unreported",
        service: service.id,
        error: String(error).slice(0, 256),
      });
    }),
  );
}

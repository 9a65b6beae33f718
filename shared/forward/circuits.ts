/**
 * Circuits of one service as an isolate keeps them, and what it tells the
 * mesh's shared circuit of them.
 *
 * @module
 */
import * as circuit from "../engine/circuit.ts";
import type { Circuit } from "../engine/circuit.ts";
import type { TryOutcome } from "../engine/retry.ts";
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
  // It was due for no probe, and is used for want of better ones.
  if (admission.kind === "allow" && admission.circuit === known) return true;
  return admission.kind === "allow" && (await claimProbe(mesh, service, endpoint));
}

/** Folds a try's outcome into the endpoint's circuit: a failure is a 5xx, or no response at all. */
export function settle(mesh: Mesh, { service, pool }: Plan, endpoint: string, outcome: TryOutcome): void {
  const { circuits } = service.traffic;
  const before = circuits.get(endpoint) ?? circuit.CLOSED;
  const isFailure = outcome.kind !== "response" || outcome.status >= 500;
  if (!isFailure && before === circuit.CLOSED) return;
  const policy = pool.policy.circuit;
  const after = circuit.record(before, policy, isFailure ? "failure" : "success", mesh.ports.now());
  if (after.kind === "closed" && after.failures === 0) circuits.delete(endpoint);
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

async function claimProbe(mesh: Mesh, service: LinkedService, endpoint: string): Promise<boolean> {
  const { control } = mesh.ports;
  try {
    const claiming = control.claimProbe(service.id, endpoint, mesh.state.reporter);
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
  const { reporter } = mesh.state;
  const transition = { endpoint, reporter, state: isOpening ? "open" : "closed" } as const;
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

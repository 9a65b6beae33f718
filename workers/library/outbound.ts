/**
 * `ctx.mesh.fetch`: a joined Worker's calls to other services.
 *
 * @module
 */
import { PRIORITY_HEADER } from "../../shared/engine/priority.ts";
import { workloadKey } from "../../shared/engine/snapshot.ts";
import type { Millis } from "../../shared/engine/time.ts";
import { DEADLINE_HEADER, withDeadline } from "../../shared/engine/timeout.ts";
import { carry } from "../../shared/forward/carry.ts";
import type { Reception } from "../../shared/forward/carry.ts";
import { insideName } from "../../shared/forward/names.ts";
import type { Mesh } from "../../shared/forward/state.ts";
import type { MeshAccess } from "./context.ts";
import { selfOf } from "./host.ts";
import type { Host } from "./host.ts";

/** Fields that tie a call to the one that is being handled, unless the handler sets its own. */
const CARRIED_ON = ["traceparent", "tracestate", "x-request-id"];

/** Makes the `fetch` of one invocation; `incoming` is the request that it handles, if it handles one. */
export function outboundFetch(mesh: Mesh, host: Host, incoming: Request | null): MeshAccess["fetch"] {
  const reception = receptionOf(mesh, host);
  const arrivedAt = mesh.ports.now();
  return (input, init) => {
    const spentMs = Math.max(0, mesh.ports.now() - arrivedAt);
    const signal = init?.signal ?? (input instanceof Request ? input.signal : null);
    return carry(mesh, carriedOn(new Request(input, init), incoming, spentMs), { ...reception, signal });
  };
}

function receptionOf(mesh: Mesh, host: Host): Reception {
  const { workload } = host.options;
  const namespace = workload.slice(0, workload.indexOf("/"));
  return {
    isFromOutside: false,
    // A handler may make calls that are to outlive its own: those that are not it gives a signal.
    signal: null,
    // Whatever tokens the handler copied from its own request are for this Worker, not from it.
    readsTokens: false,
    vouched: () => selfOf(mesh, host),
    goalOf: ({ host }) => {
      const service = insideName(host, namespace, null);
      return service === null ? { kind: "unknown" } : { kind: "service", service };
    },
    needs: [workloadKey(workload)],
  };
}

function carriedOn(request: Request, incoming: Request | null, spentMs: Millis): Request {
  // The URL names the service; a Host copied from the incoming request does not.
  for (const name of ["host", "x-selvedge-hops", DEADLINE_HEADER, PRIORITY_HEADER])
    request.headers.delete(name);
  if (incoming === null) return request;
  for (const name of CARRIED_ON) {
    const value = incoming.headers.get(name);
    if (value !== null && !request.headers.has(name)) request.headers.set(name, value);
  }
  // The loop guard counts over the whole chain, so no handler may start it anew.
  const hops = incoming.headers.get("x-selvedge-hops");
  if (hops !== null) request.headers.set("x-selvedge-hops", hops);
  const priority = incoming.headers.get(PRIORITY_HEADER);
  if (priority !== null) request.headers.set(PRIORITY_HEADER, priority);
  // What is left for the call being handled is all that there is for those it makes.
  const { requestMs } = withDeadline({}, incoming.headers.get(DEADLINE_HEADER));
  if (requestMs !== undefined) request.headers.set(DEADLINE_HEADER, String(Math.max(0, requestMs - spentMs)));
  return request;
}

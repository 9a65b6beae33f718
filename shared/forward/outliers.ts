/**
 * Outlier detection as an isolate does it: by its own calls, and by what the
 * mesh's hosts found together.
 *
 * @module
 */
import type { Findings } from "../engine/endpoint.ts";
import * as outlier from "../engine/outlier.ts";
import type { CallEnd } from "../engine/outlier-counts.ts";
import type { Millis } from "../engine/time.ts";
import { reasonOf } from "./answers.ts";
import type { Attempt } from "./attempt.ts";
import { note } from "./outcomes.ts";
import type { Plan } from "./plan.ts";
import type { Mesh } from "./state.ts";

/** Folds a try's outcome in. A call to a pinned endpoint counts at the host that chose it. */
export function settle(mesh: Mesh, { service, pool, pin }: Plan, endpoint: string, outcome: Attempt): void {
  const { tracker, policy } = pool;
  if (tracker === null || policy.outlier === undefined || pin !== null) return;
  const end = endOf(outcome);
  if (end === null) return;
  const scene = { now: mesh.ports.now(), endpoints: pool.endpoints };
  for (const ejection of outlier.record(tracker, policy.outlier, { endpoint, end }, scene)) {
    mesh.state.meter.host.ejections += 1;
    const until = new Date(ejection.until).toISOString();
    mesh.ports.log({ event: "outlier.ejected", service: service.id, endpoint: ejection.endpoint, until });
  }
  note(mesh, service, policy.outlier, { endpoint, end });
}

/** What this isolate has found out by itself about the endpoints of a plan. */
export function findingsOf({ service, pool }: Plan, now: Millis): Findings {
  const { tracker, policy } = pool;
  const { circuits } = service.traffic;
  const circuitOf = (id: string) => circuits.get(id);
  const { rejects } = policy.circuit;
  if (tracker === null || now >= tracker.outUntil) return { circuitOf, rejects };
  return { circuitOf, rejects, isOut: (id) => outlier.isOut(tracker, id, now) };
}

/** Refusals by which a mesh host further on tells that it got no answer from the endpoint. */
const NO_ANSWER: ReadonlySet<string> = new Set([
  "upstream.unreachable",
  "upstream.broken",
  "upstream.timeout",
]);

/** How a try ended; `null` where the mesh itself refused it or failed it on purpose: that says nothing of the endpoint. */
function endOf(outcome: Attempt): CallEnd | null {
  if (outcome.kind !== "response") return "local-failure";
  const { status, response } = outcome;
  if (status < 500) return "answer";
  const reason = reasonOf(response);
  if (reason !== "") return NO_ANSWER.has(reason) ? "local-failure" : null;
  return status >= 502 && status <= 504 ? "gateway-error" : "server-error";
}

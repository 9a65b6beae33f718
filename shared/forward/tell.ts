/**
 * What is told of a call when it has been answered: a metric, and a line in
 * the access log.
 *
 * @module
 */
import { reasonOf } from "./answers.ts";
import type { Trail } from "./call.ts";
import * as meter from "./meter.ts";
import type { Answer } from "./refusal.ts";
import type { Mesh } from "./state.ts";

/** Long paths are a client's way to fill logs. */
const MAX_LOGGED = 256;

/** Tells of one call that was answered with `status`. */
export function tell(mesh: Mesh, trail: Trail, answer: Answer, status: number): void {
  const durationMs = Math.max(0, mesh.ports.now() - trail.arrivedAt);
  const reason = reasonFor(answer);
  if (trail.isMetered) {
    const labels = {
      source: trail.source || "unknown",
      destination: trail.destination || "unknown",
      version: trail.version,
      route: trail.route,
      method: meter.methodLabel(trail.method),
      statusClass: `${Math.floor(status / 100)}xx`,
      reason,
    };
    meter.record(mesh, labels, durationMs);
  }
  if (answer.kind === "refusal" || mesh.ports.random() < mesh.settings.logSampleRatio)
    mesh.ports.log(lineOf(mesh, trail, { status, reason, durationMs }));
}

function reasonFor(answer: Answer): string {
  if (answer.kind === "refusal") return answer.problem.code;
  return answer.response.status >= 400 ? reasonOf(answer.response) : "";
}

interface Result {
  readonly status: number;
  readonly reason: string;
  readonly durationMs: number;
}

/** One shape for every line, so that logs can be searched by field. Never a token, a query or a header's value. */
function lineOf(mesh: Mesh, trail: Trail, { status, reason, durationMs }: Result): Record<string, unknown> {
  return {
    ts: new Date(mesh.ports.now()).toISOString(),
    req_id: trail.requestId,
    route: trail.route,
    src: trail.source || "unknown",
    dst: trail.destination || "unknown",
    endpoint: trail.endpoint,
    method: trail.method.slice(0, 32),
    path: trail.path.slice(0, MAX_LOGGED),
    status,
    reason,
    decided_by: trail.decider,
    snapshot_version: mesh.state.snapshot.view.version,
    tries: trail.tries,
    hops: trail.hops,
    dur_ms: durationMs,
  };
}

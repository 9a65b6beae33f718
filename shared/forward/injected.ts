/**
 * Answers that a route itself gives: faults that are injected on purpose, and
 * fixed responses.
 *
 * @module
 */
import * as fault from "../engine/fault.ts";
import type { Match } from "../engine/route.ts";
import type { Call } from "./call.ts";
import type { Answer } from "./refusal.ts";

/** Waits as long as a fault says, and answers when one says so; `null`: the call goes on. */
export async function inject(call: Call, { faults }: Match): Promise<Answer | null> {
  if (faults.length === 0) return null;
  const { ports } = call.mesh;
  const { delayMs, abort } = fault.inject(faults, call.view, call.caller, {
    random: ports.random,
    now: ports.now(),
  });
  if (delayMs > 0) await ports.sleep(delayMs);
  return abort === null ? null : aborted(abort);
}

/** Envoy's words, by which people know an injected fault from a real one. */
const ABORTED = "fault filter abort";

function aborted({ status, grpcStatus }: fault.Abort): Answer {
  if (grpcStatus === undefined) return fixed({ status, body: ABORTED });
  // A response without a body tells gRPC's status in its headers ("Trailers-Only").
  const headers = {
    "content-type": "application/grpc",
    "grpc-status": String(grpcStatus),
    "grpc-message": ABORTED,
  };
  return { kind: "response", response: new Response(null, { status, headers }) };
}

/** A fixed response (Istio's directResponse). */
export function fixed({ status, body }: NonNullable<Match["action"]["respond"]>): Answer {
  // These never have a body (RFC 9110 §6.4.1), and `Response` refuses to give them one.
  const content = status === 204 || status === 205 || status === 304 ? null : body;
  return { kind: "response", response: new Response(content, { status }) };
}

/**
 * What follows the inbound half where the workload runs it itself: the
 * workload answers, and no host of the mesh stands between it and its caller
 * to cut the call later.
 *
 * @module
 */
import { respond } from "./answers.ts";
import { discard } from "./attempt.ts";
import { gone } from "./departure.ts";
import { holdOpen, isLongLived, watchWhile } from "./long-calls.ts";
import type { Welcome } from "./receive.ts";
import type { Answer } from "./refusal.ts";
import type { Mesh } from "./state.ts";

/**
 * Lets `handle`, the workload's own code, answer a call that is welcome, and
 * watches over it as long as it takes or its answer stays open. With the
 * answer that is cut the platform ends what the workload still does for it, the
 * reading of an upload, too.
 */
export async function serve(
  mesh: Mesh,
  { long, request, isPatient }: Welcome,
  handle: (request: Request) => Promise<Response>,
): Promise<Response> {
  if (long === null) return handle(request);
  const work = async (): Promise<Answer> => ({ kind: "response", response: await handle(request) });
  const answer = isPatient
    ? await watchWhile(mesh, long, null, (signal) => untilCut(signal, work()))
    : await work();
  const held =
    answer.kind === "response" && isLongLived(answer.response, isPatient)
      ? holdOpen(mesh, long, answer.response)
      : answer;
  return held.kind === "response" ? held.response : respond(held, long.requestId, request.method);
}

/** Work that is given up when the call is cut: nothing else would end it. What it answers all the same is freed. */
function untilCut(signal: AbortSignal, work: Promise<Answer>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => resolve(gone()), { once: true });
    work.then((answer) => {
      if (signal.aborted) discard(answer);
      resolve(answer);
    }, reject);
  });
}

/**
 * What an answer gets on its way back: edits of a route, leave for other
 * origins to read it, and cookies of the mesh.
 *
 * @module
 */
import type { Field } from "../engine/cookie.ts";
import * as cors from "../engine/cors.ts";
import type { Cors } from "../engine/cors.ts";
import * as filter from "../engine/filter.ts";
import type { Filters, HeaderEdit } from "../engine/filter.ts";
import type { Call } from "./call.ts";
import type { Answer, Refusal } from "./refusal.ts";

/** How answers to a call are changed. */
export interface Dressing {
  /** In the order in which they apply. */
  readonly edits: readonly HeaderEdit[];
  /** The last one decides. */
  readonly cors: Cors | null;
}

/** The answer goes as it is. */
export const PLAIN: Dressing = { edits: [], cors: null };

/** The dressing of a rule's filters, or with those of one of its backends. */
export function dressingOf(rule: Filters, backend: Filters | null): Dressing {
  const edits = [rule.response, backend?.response].filter((edit) => edit !== undefined);
  const own = backend?.cors ?? rule.cors ?? null;
  return edits.length === 0 && own === null ? PLAIN : { edits, cors: own };
}

/** The service's own response, unless something changes it: wrapping one costs a sixth of a pass-through. */
export function dress(call: Call, dressing: Dressing, fields: readonly Field[], answer: Answer): Answer {
  if (dressing === PLAIN && fields.length === 0) return answer;
  if (answer.kind === "refusal") return readable(call, dressing.cors, answer);
  const { response } = answer;
  // A switched connection belongs to the two ends; it has no fields that anybody reads.
  if (response.status === 101) return answer;
  const changed = new Response(response.body, response);
  for (const edit of dressing.edits) filter.edit(changed.headers, edit);
  if (dressing.cors !== null) cors.decorate(dressing.cors, call.view, changed.headers);
  for (const { name, value } of fields) changed.headers.append(name, value);
  return { kind: "response", response: changed };
}

/** A page of another origin may learn why its call failed, if it may read answers at all. */
function readable(call: Call, own: Cors | null, refusal: Refusal): Refusal {
  if (own === null) return refusal;
  const headers = new Headers();
  cors.decorate(own, call.view, headers);
  return { ...refusal, headers: [...refusal.headers, ...headers] };
}

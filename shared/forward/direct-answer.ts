/**
 * Answers that a route gives itself, without a backend: to a preflight, by a
 * redirect, or with a fixed response.
 *
 * @module
 */
import * as cors from "../engine/cors.ts";
import type { Cors } from "../engine/cors.ts";
import type { Filters } from "../engine/filter.ts";
import * as redirect from "../engine/redirect.ts";
import type { Match, RouteAction } from "../engine/route.ts";
import type { Call } from "./call.ts";
import { dress, dressingOf } from "./dress.ts";
import { suffer } from "./faults.ts";
import type { Answer } from "./refusal.ts";

/** Whether a rule answers every request itself. */
export function answersItself({ filters, respond }: RouteAction): boolean {
  return filters.redirect !== undefined || respond !== undefined;
}

/** The answer of such a rule, after the faults that it asks for. */
export async function answerItself(call: Call, match: Match): Promise<Answer> {
  const { action, faults } = match;
  const fault = faults.length === 0 ? null : await suffer(call, faults, action.timeouts ?? {});
  const answer = fault ?? redirected(call, match, action.filters) ?? fixed(call, action);
  return dress(call, dressingOf(action.filters, null), [], answer);
}

/** The answer to a preflight; `null` when the request is none. */
export function answerPreflight(call: Call, policy: Cors | undefined): Answer | null {
  if (policy === undefined || call.request.method !== "OPTIONS") return null;
  const fields = cors.answer(policy, call.view);
  if (fields === null) return null;
  const headers = fields.map(([name, value]): [string, string] => [name, value]);
  return { kind: "response", response: new Response(null, { status: 204, headers }) };
}

/** Where the filters of a rule or a backend send the client; `null` when they do not. */
export function redirected(call: Call, { entry }: Match, { redirect: to }: Filters): Answer | null {
  if (to === undefined) return null;
  const location = redirect.locate(to, call.view, entry.path);
  const response = new Response(null, { status: to.statusCode, headers: { location } });
  return { kind: "response", response };
}

/** Statuses whose responses have no body: the platform refuses to make one with it. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

function fixed(call: Call, { respond }: RouteAction): Answer {
  const { status, body } = respond ?? { status: 404, body: "" };
  const isEmpty = call.request.method === "HEAD" || WITHOUT_BODY.has(status);
  return { kind: "response", response: new Response(isEmpty ? null : body, { status }) };
}

/**
 * Who may join with a token: the workload that it names, or one whose name
 * begins as it says, and nobody else.
 *
 * @module
 */
import type { Millis } from "../shared/engine/time.ts";
import { parseWorkload } from "../shared/identity/spiffe.ts";
import type { JoinToken, JoinTokenRequest } from "../shared/wire/authority-rpc.ts";
import { fail, succeed, type Outcome, type Problem } from "../shared/wire/problem.ts";

/** A week, for a machine that is set up by hand; the usual hour is the caller's to say. */
const MAX_TTL_SECONDS = 604_800;
const MIN_TTL_SECONDS = 60;

/** Checks a request for a token. */
export function checkJoinToken({ scope, ttlSeconds }: JoinTokenRequest): Outcome<null> {
  const fields = [];
  if (!isScope(scope)) {
    fields.push({ path: "scope", message: "write namespace/service-account or namespace/prefix*" });
  }
  if (!Number.isInteger(ttlSeconds) || ttlSeconds < MIN_TTL_SECONDS || ttlSeconds > MAX_TTL_SECONDS) {
    const message = `write a whole number from ${MIN_TTL_SECONDS} to ${MAX_TTL_SECONDS}`;
    fields.push({ path: "ttlSeconds", message });
  }
  const detail = "The token was not made.";
  return fields.length > 0 ? fail({ code: "request.malformed", detail, fields }) : succeed(null);
}

/** The workload, `namespace/service-account`, that joins with a token; a refusal where it may not. */
export function judgeJoin(token: JoinToken, asked: string | undefined, now: Millis): Outcome<string> {
  if (token.usedAt !== null) return fail(SPENT);
  if (now >= token.expiresAt) {
    return fail({ code: "authn.token.expired", detail: "The join token has expired: ask for a new one." });
  }
  const workload = asked ?? token.scope;
  if (asked === undefined && isPattern(token.scope)) {
    const fields = [{ path: "workload", message: "say which one of the token's scope joins" }];
    return fail({ code: "request.malformed", detail: "Nothing was issued.", fields });
  }
  if (!covers(token.scope, workload)) {
    return fail({ code: "admin.forbidden", detail: `The join token is for ${token.scope}.` });
  }
  return succeed(workload);
}

/** The refusal of a token that somebody has joined with. */
export const SPENT: Problem = {
  code: "authn.revoked",
  detail: "The join token has been used. If it was not by you, revoke what was got with it.",
};

function isScope(scope: string): boolean {
  // A star stands for any end of the name; with a letter in its place the rest must be a workload.
  return parseWorkload(isPattern(scope) ? `${scope.slice(0, -1)}x` : scope) !== null;
}

function isPattern(scope: string): boolean {
  return scope.endsWith("*");
}

function covers(scope: string, workload: string): boolean {
  if (!isPattern(scope)) return workload === scope;
  // The prefix has the slash after the namespace, and a workload has one slash: no other namespace begins so.
  return parseWorkload(workload) !== null && workload.startsWith(scope.slice(0, -1));
}

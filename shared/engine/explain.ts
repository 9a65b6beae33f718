/**
 * Explanations: why a rule decides a request, and why the others do not.
 * Looks at every rule, so it is for people, not for calls.
 *
 * @module
 */
import type { Caller } from "./authorize.ts";
import type { RequestView } from "./request.ts";
import * as route from "./route.ts";
import type { Match, Part, RouteTable } from "./route.ts";

/** A rule as it fares with a request. */
export interface Candidate {
  readonly match: Match;
  /**
   * `decides`: the first that matches. `later`: it matches as well, and comes
   * after. Else the first of its parts that does not hold.
   */
  readonly verdict: "decides" | "later" | Part;
}

export interface Explanation {
  /** In order of precedence. */
  readonly candidates: readonly Candidate[];
  /** Rules left out, all of them for other paths. */
  readonly omitted: number;
  /** The rule that decides; `null` when none does. */
  readonly match: Match | null;
}

/**
 * Tells how every rule fares, at most `limit` of them: of those whose path
 * does not match the last are left out first.
 */
export function explain(
  table: RouteTable,
  request: RequestView,
  caller: Caller | null,
  limit: number,
): Explanation {
  const all = table.rules.map((rule) => ({
    match: rule.match,
    obstacle: route.obstacle(rule, request, caller),
  }));
  const winner = all.find(({ obstacle }) => obstacle === null) ?? null;
  const candidates = all.map((rule): Candidate => {
    const { match, obstacle } = rule;
    return { match, verdict: obstacle ?? (rule === winner ? "decides" : "later") };
  });
  const kept = keepNear(candidates, limit);
  return { candidates: kept, omitted: candidates.length - kept.length, match: winner?.match ?? null };
}

function keepNear(candidates: readonly Candidate[], limit: number): readonly Candidate[] {
  const near = candidates.filter(({ verdict }) => verdict !== "path").length;
  let room = Math.max(0, limit - near);
  const kept = candidates.filter(({ verdict }) => verdict !== "path" || room-- > 0);
  return kept.slice(0, Math.max(limit, 1));
}

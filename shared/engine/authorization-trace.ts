/**
 * Tells why authorization decides as it does: every rule that it could have
 * been, and what each lacks.
 *
 * @module
 */
import * as intention from "./intention.ts";
import { missing, type Authorization, type AuthorizationInput, type AuthorizationRule } from "./authorize.ts";

/** The list that a rule stands in, in the order in which the lists are looked at. */
export type Stage = "custom" | "deny" | "intention" | "allow" | "audit" | "dry-run deny" | "dry-run allow";

export interface TracedRule {
  readonly stage: Stage;
  /** `namespace/name` of the policy, and the rule's index in it. */
  readonly policy: string;
  readonly rule: number;
  /** `matches`, or the first part that does not hold; of intentions also `outranked`: another one is asked before. */
  readonly verdict: "matches" | "expired" | "from" | "to" | "when" | "outranked";
}

/**
 * Looks at every rule, where `authorize` stops at the first that matches.
 * Intentions come in the order in which they are tried.
 */
export function trace(authorization: Authorization, input: AuthorizationInput): TracedRule[] {
  const { custom = [], deny, intentions = [], allow, audit = [], trial } = authorization;
  const rules = (stage: Stage, list: readonly AuthorizationRule[]): TracedRule[] => {
    const restricts = stage === "custom" || stage.endsWith("deny");
    return list.map((rule) => ({
      stage,
      policy: rule.policy,
      rule: rule.rule,
      verdict: missing(rule, input, restricts) ?? "matches",
    }));
  };
  return [
    ...rules(
      "custom",
      custom.flatMap((one) => one.rules),
    ),
    ...rules("deny", deny),
    ...intention.trace(intentions, input).map((one): TracedRule => ({ stage: "intention", ...one })),
    ...rules("allow", allow ?? []),
    ...rules("audit", audit),
    ...rules("dry-run deny", trial?.deny ?? []),
    ...rules("dry-run allow", trial?.allow ?? []),
  ];
}

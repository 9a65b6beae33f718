/**
 * Tells why authorization decides as it does: every rule that it could have
 * been, and what each lacks.
 *
 * @module
 */
import { missing, type Authorization, type AuthorizationInput, type AuthorizationRule } from "./authorize.ts";

/** The list that a rule stands in, in the order in which the lists are looked at. */
export type Stage = "custom" | "deny" | "allow" | "audit" | "dry-run deny" | "dry-run allow";

export interface TracedRule {
  readonly stage: Stage;
  /** `namespace/name` of the policy, and the rule's index in it. */
  readonly policy: string;
  readonly rule: number;
  /** `matches`, or the first part that does not hold. */
  readonly verdict: "matches" | "expired" | "from" | "to" | "when";
}

/** Looks at every rule, where `authorize` stops at the first that matches. */
export function trace(authorization: Authorization, input: AuthorizationInput): TracedRule[] {
  const { custom = [], deny, allow, audit = [], trial } = authorization;
  const stages: readonly (readonly [Stage, readonly AuthorizationRule[]])[] = [
    ["custom", custom.flatMap(({ rules }) => rules)],
    ["deny", deny],
    ["allow", allow ?? []],
    ["audit", audit],
    ["dry-run deny", trial?.deny ?? []],
    ["dry-run allow", trial?.allow ?? []],
  ];
  return stages.flatMap(([stage, rules]) => {
    const restricts = stage === "custom" || stage.endsWith("deny");
    return rules.map((rule) => ({
      stage,
      policy: rule.policy,
      rule: rule.rule,
      verdict: missing(rule, input, restricts) ?? "matches",
    }));
  });
}

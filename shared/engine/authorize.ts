/**
 * Authorization: may this caller make this call. Istio's AuthorizationPolicy:
 * DENY before ALLOW; no ALLOW policy means allowed, one means default deny.
 *
 * @module
 */
import * as intention from "./intention.ts";
import { matchesAny, type StringMatch } from "./match.ts";
import type { HeaderReader } from "./request.ts";

/** Who calls, as far as it was proved. */
export interface Caller {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** `<trust-domain>/ns/<namespace>/sa/<name>`, as `principalOf` makes it: kept, so that a decision builds no string. */
  readonly principal: string;
}

/**
 * Fields are ANDed, the values of one field ORed; `not…` holds when none of
 * its values matches. An absent field holds for every request; an empty list
 * matches nothing.
 */
export interface SourceMatch {
  /** `<trust-domain>/ns/<namespace>/sa/<name>`, without `spiffe://`. */
  readonly principals?: readonly StringMatch[];
  readonly notPrincipals?: readonly StringMatch[];
  readonly namespaces?: readonly StringMatch[];
  readonly notNamespaces?: readonly StringMatch[];
}

/** Combined as in `SourceMatch`. */
export interface OperationMatch {
  /** In lower case, without a port. */
  readonly hosts?: readonly StringMatch[];
  readonly notHosts?: readonly StringMatch[];
  readonly ports?: readonly number[];
  readonly notPorts?: readonly number[];
  readonly methods?: readonly StringMatch[];
  readonly notMethods?: readonly StringMatch[];
  readonly paths?: readonly StringMatch[];
  readonly notPaths?: readonly StringMatch[];
}

/** Any of `from` and any of `to`. An empty list holds for every request. */
export interface AuthorizationRule {
  /** `namespace/name` of the policy, and the rule's index in it: who decided. */
  readonly policy: string;
  readonly rule: number;
  readonly from: readonly SourceMatch[];
  readonly to: readonly OperationMatch[];
}

export interface Authorization {
  readonly deny: readonly AuthorizationRule[];
  /** `null`: no ALLOW policy selects the workload. Empty: one does and never matches (allow nothing). */
  readonly allow: readonly AuthorizationRule[] | null;
  /** Consul's intentions, in their order. What they leave undecided is decided by `allow`: the default. */
  readonly intentions?: readonly intention.Intention[];
}

export interface AuthorizationInput {
  /** `null` when nobody was authenticated: positive source matches fail, `not…` matches hold. */
  readonly caller: Caller | null;
  /** In lower case, without a port. */
  readonly host: string;
  /** The port of the destination service. */
  readonly port: number;
  readonly method: string;
  /** The canonical path, without the query. */
  readonly path: string;
  readonly headers: HeaderReader;
}

export type AuthorizationDecision =
  /** `by` names the ALLOW rule; `null`: no ALLOW policy selects the workload. */
  | { readonly kind: "allow"; readonly by: string | null }
  /** `by` names the DENY rule (`namespace/name[index]`); `null` is the default deny. */
  | { readonly kind: "deny"; readonly by: string | null };

const ALLOWED: AuthorizationDecision = { kind: "allow", by: null };
const DEFAULT_DENY: AuthorizationDecision = { kind: "deny", by: null };

/** Names a workload as policies do: its SPIFFE id without `spiffe://`. */
export function principalOf(caller: Omit<Caller, "principal">): string {
  return `${caller.trustDomain}/ns/${caller.namespace}/sa/${caller.serviceAccount}`;
}

/**
 * Decides whether the call may be made, in Istio's order: any DENY rule that
 * matches denies; without an ALLOW policy the call is allowed; any ALLOW rule
 * that matches allows; everything else is denied. Intentions, where there are
 * some, come after DENY, and what they decide is final.
 */
export function authorize(authorization: Authorization, input: AuthorizationInput): AuthorizationDecision {
  const denying = firstMatch(authorization.deny, input);
  if (denying !== null) return { kind: "deny", by: nameOf(denying) };
  const intended =
    authorization.intentions === undefined ? null : intention.decide(authorization.intentions, input);
  if (intended !== null) return intended;
  if (authorization.allow === null) return ALLOWED;

  const allowing = firstMatch(authorization.allow, input);
  return allowing === null ? DEFAULT_DENY : { kind: "allow", by: nameOf(allowing) };
}

// Below, plain loops: nothing is allocated until a rule has matched.

function firstMatch(
  rules: readonly AuthorizationRule[],
  input: AuthorizationInput,
): AuthorizationRule | null {
  for (const rule of rules) {
    if (isFromAny(rule.from, input.caller) && isToAny(rule.to, input)) return rule;
  }
  return null;
}

function nameOf(rule: AuthorizationRule): string {
  return `${rule.policy}[${rule.rule}]`;
}

/** Decides whether any of the sources is the caller; an empty list holds for everybody. */
export function isFromAny(sources: readonly SourceMatch[], caller: Caller | null): boolean {
  if (sources.length === 0) return true;
  for (const source of sources) {
    if (isFrom(source, caller)) return true;
  }
  return false;
}

function isToAny(operations: readonly OperationMatch[], input: AuthorizationInput): boolean {
  if (operations.length === 0) return true;
  for (const operation of operations) {
    if (isTo(operation, input)) return true;
  }
  return false;
}

function isFrom(source: SourceMatch, caller: Caller | null): boolean {
  return (
    holds(source.principals, source.notPrincipals, caller === null ? null : caller.principal) &&
    holds(source.namespaces, source.notNamespaces, caller === null ? null : caller.namespace)
  );
}

function isTo(operation: OperationMatch, input: AuthorizationInput): boolean {
  return (
    (operation.ports === undefined || operation.ports.includes(input.port)) &&
    (operation.notPorts === undefined || !operation.notPorts.includes(input.port)) &&
    holds(operation.methods, operation.notMethods, input.method) &&
    holds(operation.hosts, operation.notHosts, input.host) &&
    holds(operation.paths, operation.notPaths, input.path)
  );
}

/** `value` is null when it was not proved: no list matches it, not even one with `*`. */
function holds(
  list: readonly StringMatch[] | undefined,
  notList: readonly StringMatch[] | undefined,
  value: string | null,
): boolean {
  if (list !== undefined && (value === null || !matchesAny(list, value))) return false;
  return notList === undefined || value === null || !matchesAny(notList, value);
}

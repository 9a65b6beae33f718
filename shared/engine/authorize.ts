/**
 * Authorization: may this caller make this call. Istio's AuthorizationPolicy:
 * CUSTOM before DENY before ALLOW; no ALLOW policy means allowed, one means
 * default deny.
 *
 * @module
 */
import { holds as conditionHolds, type Addresses, type Condition } from "./access-condition.ts";
import type { EndUser } from "./end-user.ts";
import type { Address } from "./endpoint.ts";
import * as intention from "./intention.ts";
import { matches, matchesAny, type StringMatch } from "./match.ts";
import { matchesTemplate, type PathTemplate } from "./path-template.ts";
import type { HeaderReader } from "./request.ts";
import { firstMatch, type Test } from "./rule-index.ts";
import type { Millis } from "./time.ts";

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
  /** What more must hold; for authorization alone. */
  readonly also?: readonly Condition[];
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
  readonly paths?: readonly PathPattern[];
  readonly notPaths?: readonly PathPattern[];
}

export type PathPattern = StringMatch | PathTemplate;

/** Any of `from`, any of `to` and all of `when`. An empty list holds for every request. */
export interface AuthorizationRule {
  /** `namespace/name` of the policy, and the rule's index in it: who decided. */
  readonly policy: string;
  readonly rule: number;
  readonly from: readonly SourceMatch[];
  readonly to: readonly OperationMatch[];
  readonly when?: readonly Condition[];
  /** From then on the rule matches nothing. Absent: it stays. */
  readonly endsAt?: Millis;
}

export interface Authorization {
  readonly deny: readonly AuthorizationRule[];
  /** `null`: no ALLOW policy selects the workload. Empty: one does and never matches (allow nothing). */
  readonly allow: readonly AuthorizationRule[] | null;
  /** Consul's intentions, in their order. What they leave undecided is decided by `allow`: the default. */
  readonly intentions?: readonly intention.Intention[];
  /** Who else must agree, and to which calls. Absent: nobody. */
  readonly custom?: readonly CustomRules[];
  /** Calls that are told of. Absent: none. */
  readonly audit?: readonly AuthorizationRule[];
  /** Policies that are tried out: what they would decide is told, and nothing else. */
  readonly trial?: Pick<Authorization, "deny" | "allow">;
  /** A rule asks where a call comes from. */
  readonly readsAddresses?: true;
}

/** Calls that an external authorizer decides. */
export interface CustomRules {
  /** What the mesh knows it by; `null` when it knows none of the name: such calls are denied. */
  readonly provider: AuthorizationProvider | null;
  readonly rules: readonly AuthorizationRule[];
}

/** An external authorizer that is asked by HTTP (Envoy's ext_authz). */
export interface AuthorizationProvider {
  readonly name: string;
  /** `binding:NAME`, or an origin: as in an Endpoint. */
  readonly address: Address;
  /** Put before the path of the call. */
  readonly pathPrefix: string;
  readonly timeoutMs: Millis;
  /** Fields of the call that it is shown, in lower case. */
  readonly sends: readonly string[];
  /** Fields that it is shown besides, whatever the call has. */
  readonly adds: Readonly<Record<string, string>>;
  /** Fields of its answer that an admitted call goes on with, in place of its own: names, `prefix*` or `*suffix`. */
  readonly toUpstream: readonly string[];
  /** Fields of its answer that a denied caller sees, named likewise. */
  readonly toDenied: readonly string[];
  /** A call is admitted when the authorizer cannot be asked. */
  readonly failsOpen: boolean;
  /** The status of a call that is denied because the authorizer cannot be asked. */
  readonly statusOnError: number;
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
  /** Absent: the host could not tell. */
  readonly addresses?: Addresses;
  /** For whom the call is made, as a verified token tells. Absent: for nobody in particular. */
  readonly user?: EndUser | null;
  readonly now: Millis;
}

/** What of a call an operation is about. */
export type Operation = Pick<AuthorizationInput, "host" | "port" | "method" | "path">;

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
 * some, come after DENY, and what they decide is final. Who else must agree
 * (`custom`) is asked by the host before.
 */
export function authorize(authorization: Authorization, input: AuthorizationInput): AuthorizationDecision {
  const denying = firstMatch(authorization.deny, input, restricting);
  if (denying !== null) return { kind: "deny", by: nameOf(denying) };
  const intended =
    authorization.intentions === undefined ? null : intention.decide(authorization.intentions, input);
  if (intended !== null) return intended;
  if (authorization.allow === null) return ALLOWED;

  const allowing = firstMatch(authorization.allow, input, admitting);
  return allowing === null ? DEFAULT_DENY : { kind: "allow", by: nameOf(allowing) };
}

/** The rule (`namespace/name[index]`) of a list that a call has to be told of by; `null`: none. */
export function audited(audit: readonly AuthorizationRule[], input: AuthorizationInput): string | null {
  const rule = firstMatch(audit, input, admitting);
  return rule === null ? null : nameOf(rule);
}

/** The rule by which external authorizers are asked about a call; `null`: they are not. */
export function consulted({ rules }: CustomRules, input: AuthorizationInput): string | null {
  const rule = firstMatch(rules, input, restricting);
  return rule === null ? null : nameOf(rule);
}

// Below, plain loops: nothing is allocated until a rule has matched.

const restricting: Test = (rule, input) => isMatch(rule, input, true);
const admitting: Test = (rule, input) => isMatch(rule, input, false);

/** Whether a rule matches. `restricts` tells a rule of DENY or CUSTOM from others: see `Condition`. */
export function isMatch(rule: AuthorizationRule, input: AuthorizationInput, restricts: boolean): boolean {
  return missing(rule, input, restricts) === null;
}

/** Which part of a rule a call does not meet, in the order in which they are looked at; `null`: it matches. */
export function missing(
  { endsAt, from, to, when }: AuthorizationRule,
  input: AuthorizationInput,
  restricts: boolean,
): "expired" | "from" | "to" | "when" | null {
  if (endsAt !== undefined && input.now >= endsAt) return "expired";
  if (!isFromAnySource(from, input, restricts)) return "from";
  if (!isToAny(to, input)) return "to";
  return when === undefined || allHold(when, input, restricts) ? null : "when";
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

function isFromAnySource(
  sources: readonly SourceMatch[],
  input: AuthorizationInput,
  restricts: boolean,
): boolean {
  if (sources.length === 0) return true;
  for (const source of sources) {
    if (isFrom(source, input.caller) && (source.also === undefined || allHold(source.also, input, restricts)))
      return true;
  }
  return false;
}

function allHold(conditions: readonly Condition[], input: AuthorizationInput, restricts: boolean): boolean {
  for (const condition of conditions) {
    if (!conditionHolds(condition, input, restricts)) return false;
  }
  return true;
}

/** Decides whether a call is one of the operations; an empty list holds for every call. */
export function isToAny(operations: readonly OperationMatch[], input: Operation): boolean {
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

function isTo(operation: OperationMatch, input: Operation): boolean {
  return (
    (operation.ports === undefined || operation.ports.includes(input.port)) &&
    (operation.notPorts === undefined || !operation.notPorts.includes(input.port)) &&
    holds(operation.methods, operation.notMethods, input.method) &&
    holds(operation.hosts, operation.notHosts, input.host) &&
    (operation.paths === undefined || isPathOf(operation.paths, input.path)) &&
    (operation.notPaths === undefined || !isPathOf(operation.notPaths, input.path))
  );
}

function isPathOf(patterns: readonly PathPattern[], path: string): boolean {
  for (const pattern of patterns) {
    if (pattern.kind === "template" ? matchesTemplate(pattern, path) : matches(pattern, path)) return true;
  }
  return false;
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

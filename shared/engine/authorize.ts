/**
 * Authorization: may this caller make this call. Istio's AuthorizationPolicy:
 * DENY before ALLOW; no ALLOW policy means allowed, one means default deny.
 *
 * @module
 */
import type { HeaderReader } from "./request.ts";
import type { StringMatch } from "./match.ts";

/** Who calls, as far as it was proved. */
export interface Caller {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** Fields are ANDed, the values of one field ORed; `not…` holds when none of its values matches. */
export interface SourceMatch {
  /** `<trust-domain>/ns/<namespace>/sa/<name>`, without `spiffe://`. */
  readonly principals?: readonly StringMatch[];
  readonly notPrincipals?: readonly StringMatch[];
  readonly namespaces?: readonly StringMatch[];
  readonly notNamespaces?: readonly StringMatch[];
}

export interface OperationMatch {
  /** In lower case. */
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
}

export interface AuthorizationInput {
  /** `null` when nobody was authenticated: positive source matches fail, `not…` matches hold. */
  readonly caller: Caller | null;
  readonly host: string;
  /** The port of the destination service. */
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly headers: HeaderReader;
}

export type AuthorizationDecision =
  | { readonly kind: "allow"; readonly by: string | null }
  /** `by` names the DENY rule (`namespace/name[index]`); `null` is the default deny. */
  | { readonly kind: "deny"; readonly by: string | null };

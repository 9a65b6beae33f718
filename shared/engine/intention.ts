/**
 * Intentions: Consul's way to say who may call whom. Of all intentions that
 * are about a caller exactly one decides, the most specific; within it the
 * first permission that matches. What it leaves open is left to the default.
 *
 * @module
 */
import { matches, unknownKind, type StringMatch } from "./match.ts";
import type { Caller, AuthorizationInput } from "./authorize.ts";

/** Whom an intention is about. `anyone` is every caller, proven or not. */
export type IntentionSource =
  | { readonly kind: "anyone" }
  | { readonly kind: "namespace"; readonly namespace: string }
  /** `<trust-domain>/ns/<namespace>/sa/<name>`. */
  | { readonly kind: "principal"; readonly principal: string };

/** A header's condition. A header that is not there satisfies only what is inverted. */
export interface HeaderCondition {
  /** In lower case. */
  readonly name: string;
  readonly kind: "exact" | "prefix" | "suffix" | "contains" | "present";
  /** Empty for `present`. In lower case when the case is ignored. */
  readonly value: string;
  readonly ignoresCase: boolean;
  readonly isInverted: boolean;
}

/** What is allowed or denied; all of its parts must hold. */
export interface Permission {
  readonly action: "allow" | "deny";
  /** `null`: every path. */
  readonly path: StringMatch | null;
  /** Empty: every method. */
  readonly methods: readonly string[];
  readonly headers: readonly HeaderCondition[];
}

export interface Intention {
  /** `namespace/name` of the document, and the source's index in it: who decided. */
  readonly policy: string;
  readonly rule: number;
  readonly source: IntentionSource;
  readonly permissions: readonly Permission[];
}

/** Where an intention stands among others; `*` is every one. */
export interface Precedence {
  readonly sourceNamespace: string;
  readonly source: string;
  readonly destinationNamespace: string;
  readonly destination: string;
}

/**
 * Orders intentions as they are tried: an exact destination before an exact
 * source, a name before a namespace; then by their names.
 */
export function compare(a: Precedence, b: Precedence): number {
  return weightOf(b) - weightOf(a) || compareText(nameOf(a), nameOf(b));
}

function weightOf({ sourceNamespace, source, destinationNamespace, destination }: Precedence): number {
  return exactness(destinationNamespace, destination) * 3 + exactness(sourceNamespace, source);
}

function exactness(namespace: string, name: string): number {
  if (namespace === "*") return 0;
  return name === "*" ? 1 : 2;
}

/** Blanks sort before everything that a name may have. */
function nameOf({ sourceNamespace, source, destinationNamespace, destination }: Precedence): string {
  return `${sourceNamespace} ${source} ${destinationNamespace} ${destination}`;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/**
 * The decision of the first intention (in the order of `compare`) that is
 * about the caller; `null` when there is none, or when it has permissions of
 * which none matches: the next intention is not asked.
 */
export function decide(
  intentions: readonly Intention[],
  input: AuthorizationInput,
): { readonly kind: "allow" | "deny"; readonly by: string } | null {
  for (const intention of intentions) {
    if (!isFrom(intention.source, input.caller)) continue;
    const permission = intention.permissions.find((one) => holds(one, input));
    if (permission === undefined) return null;
    return { kind: permission.action, by: `${intention.policy}[${intention.rule}]` };
  }
  return null;
}

/** How an intention fared. */
export type IntentionVerdict =
  /** It decides. */
  | "matches"
  /** It is about other callers. */
  | "from"
  /** It is about the caller and none of its permissions is about the call: the default decides. */
  | "to"
  /** It is about the caller, and one before it is, too. */
  | "outranked";

/** Tells how each intention fares, in the order in which they are tried. Decides as `decide`. */
export function trace(
  intentions: readonly Intention[],
  input: AuthorizationInput,
): readonly (Pick<Intention, "policy" | "rule"> & { readonly verdict: IntentionVerdict })[] {
  const asked = intentions.findIndex(({ source }) => isFrom(source, input.caller));
  return intentions.map(({ policy, rule, source, permissions }, index) => {
    if (!isFrom(source, input.caller)) return { policy, rule, verdict: "from" };
    if (index !== asked) return { policy, rule, verdict: "outranked" };
    return { policy, rule, verdict: permissions.some((one) => holds(one, input)) ? "matches" : "to" };
  });
}

function isFrom(source: IntentionSource, caller: Caller | null): boolean {
  switch (source.kind) {
    case "anyone":
      return true;
    case "namespace":
      return caller?.namespace === source.namespace;
    case "principal":
      return caller?.principal === source.principal;
    default:
      throw unknownKind(source);
  }
}

function holds({ action, path, methods, headers }: Permission, input: AuthorizationInput): boolean {
  return (
    (path === null || matches(path, input.path)) &&
    (methods.length === 0 || methods.includes(input.method)) &&
    headers.every((condition) => meets(condition, input.headers.get(condition.name), action === "allow"))
  );
}

/**
 * A field of several lines is one text with commas. As with other policies
 * (`access-condition.ts`) each part counts like the whole where that keeps a
 * call out.
 */
function meets(condition: HeaderCondition, sent: string | null, isLettingIn: boolean): boolean {
  const countsParts = isLettingIn === condition.isInverted;
  const texts =
    sent !== null && countsParts && sent.includes(",")
      ? [sent, ...sent.split(",").map((part) => part.trim())]
      : [sent];
  return texts.some((text) => isMatch(condition, text)) !== condition.isInverted;
}

function isMatch({ kind, value, ignoresCase }: HeaderCondition, sent: string | null): boolean {
  if (sent === null) return false;
  const text = ignoresCase ? sent.toLowerCase() : sent;
  switch (kind) {
    case "exact":
      return text === value;
    case "prefix":
      return text.startsWith(value);
    case "suffix":
      return text.endsWith(value);
    case "contains":
      return text.includes(value);
    case "present":
      return true;
    default:
      throw unknownKind(kind);
  }
}

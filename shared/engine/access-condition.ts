/**
 * Conditions of authorization rules beyond caller and operation: Istio's
 * `when`, and the sources that are not about the caller's identity.
 *
 * @module
 */
import { isWithin, type AddressBlock, type NetworkAddress } from "./address-block.ts";
import type { AuthorizationInput } from "./authorize.ts";
import { claimTexts, type EndUser } from "./end-user.ts";
import { matches, matchesAny, type StringMatch } from "./match.ts";

/** One of `values` must match, none of `notValues` may. Absent: no condition. */
interface Lists<Value> {
  readonly values?: readonly Value[];
  readonly notValues?: readonly Value[];
}

/** An end user by both halves of `issuer/subject`. */
export interface UserMatch {
  readonly issuer: StringMatch;
  readonly subject: StringMatch;
}

export type Condition =
  | ({ readonly kind: "principal" | "namespace" | "trust-domain" } & Lists<StringMatch>)
  | ({ readonly kind: "audience" | "presenter" } & Lists<StringMatch>)
  /** `name` in lower case. */
  | ({ readonly kind: "header"; readonly name: string } & Lists<StringMatch>)
  /** A claim that is a list holds if one of its texts does; what is neither text nor list is not there. */
  | ({ readonly kind: "claim"; readonly path: readonly string[] } & Lists<StringMatch>)
  | ({ readonly kind: "user" } & Lists<UserMatch>)
  | ({ readonly kind: "source-address" | "remote-address" } & Lists<AddressBlock>)
  | ({ readonly kind: "port" } & Lists<number>)
  /** What the mesh cannot see. */
  | { readonly kind: "unknown" };

/** Where a call comes from. `null`: from no network, but from a Worker by a binding; it is in no block. */
export interface Addresses {
  /** The direct peer's. */
  readonly source: NetworkAddress | null;
  /** The client's, behind the proxies that are trusted. */
  readonly remote: NetworkAddress | null;
}

/**
 * Whether a condition holds. What cannot be known holds in a rule that
 * restricts (DENY, CUSTOM) and does not in one that lets in: not knowing
 * never opens a door.
 */
export function holds(condition: Condition, input: AuthorizationInput, restricts: boolean): boolean {
  switch (condition.kind) {
    case "principal":
      return textHolds(condition, input.caller?.principal ?? null);
    case "namespace":
      return textHolds(condition, input.caller?.namespace ?? null);
    case "trust-domain":
      return textHolds(condition, input.caller?.trustDomain ?? null);
    case "header":
      return fieldHolds(condition, input.headers.get(condition.name), restricts);
    case "port":
      return valuesHold(condition, (port) => port === input.port);
    case "source-address":
    case "remote-address":
      return addressHolds(condition, input, restricts);
    case "user":
    case "presenter":
    case "audience":
    case "claim":
      return userHolds(condition, input.user ?? null);
    default:
      // `unknown`, or of a kind that only a newer release knows.
      return restricts;
  }
}

function textHolds({ values, notValues }: Lists<StringMatch>, text: string | null): boolean {
  if (values !== undefined && (text === null || !matchesAny(values, text))) return false;
  return notValues === undefined || text === null || !matchesAny(notValues, text);
}

/**
 * A field that came in several lines is one text with commas, and what a
 * backend makes of it is its own affair. So each part counts like the whole
 * where that keeps a call out: for `values` of a rule that restricts, and for
 * `notValues` of one that lets in.
 */
function fieldHolds(condition: Lists<StringMatch>, text: string | null, restricts: boolean): boolean {
  if (text === null || !text.includes(",")) return textHolds(condition, text);
  const { values, notValues } = condition;
  const texts = [text, ...text.split(",").map((part) => part.trim())];
  const isAny = (matches: readonly StringMatch[]): boolean => texts.some((each) => matchesAny(matches, each));
  if (values !== undefined && !(restricts ? isAny(values) : matchesAny(values, text))) return false;
  return notValues === undefined || !(restricts ? matchesAny(notValues, text) : isAny(notValues));
}

function valuesHold<Value>({ values, notValues }: Lists<Value>, isMet: (value: Value) => boolean): boolean {
  return (values === undefined || values.some(isMet)) && (notValues === undefined || !notValues.some(isMet));
}

function addressHolds(
  condition: { readonly kind: "source-address" | "remote-address" } & Lists<AddressBlock>,
  { addresses }: AuthorizationInput,
  restricts: boolean,
): boolean {
  if (addresses === undefined) return restricts;
  const address = condition.kind === "source-address" ? addresses.source : addresses.remote;
  return valuesHold(condition, (block) => address !== null && isWithin(block, address));
}

type UserCondition = Extract<Condition, { readonly kind: "audience" | "presenter" | "claim" | "user" }>;

function userHolds(condition: UserCondition, user: EndUser | null): boolean {
  switch (condition.kind) {
    case "user":
      return valuesHold(condition, (wanted) => user !== null && isUser(wanted, user));
    case "presenter":
      return textHolds(condition, user?.presenter ?? null);
    case "audience":
      return listHolds(condition, user?.audiences ?? []);
    case "claim":
      return listHolds(condition, user === null ? [] : claimTexts(user.claims, condition.path));
  }
}

/** A token without a subject names no user (Istio's `request.auth.principal` is not set then). */
function isUser({ issuer, subject }: UserMatch, user: EndUser): boolean {
  return user.subject !== "" && matches(issuer, user.issuer) && matches(subject, user.subject);
}

function listHolds(condition: Lists<StringMatch>, texts: readonly string[]): boolean {
  return valuesHold(condition, (match) => texts.some((text) => matches(match, text)));
}

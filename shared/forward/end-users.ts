/**
 * For whom a call is made: the end user's token, found and verified as the
 * callee's RequestAuthentications say. Without a token a call is for nobody;
 * with one that does not count it is refused.
 *
 * @module
 */
import { cookiesOf } from "../engine/cookie.ts";
import { claimAt, type EndUser, type JwtRule, type PublicJwk, type TokenPlace } from "../engine/end-user.ts";
import { valuesOf } from "../engine/query.ts";
import type { HeaderReader } from "../engine/request.ts";
import type { Millis } from "../engine/time.ts";
import { cacheKey } from "../identity/token-cache.ts";
import { keysFrom, knownKeys, newerKeys } from "./issuer-keys.ts";
import type { Verifier } from "./issuer-keys.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";

/** Where tokens are looked for. */
export interface UserCredentials {
  readonly method: string;
  readonly headers: HeaderReader;
  readonly query: string;
  /** `authorization` holds a token of the mesh: it says nothing of end users. */
  readonly isBearerOurs: boolean;
  /** When tokens must have been in force, for calls that have been open since. Absent: now. */
  readonly provedAt?: Millis;
}

/** A change to the fields that a call goes on with; `null` takes one away. */
export interface FieldEdit {
  readonly name: string;
  readonly value: string | null;
}

export interface Identified {
  readonly kind: "user";
  readonly user: EndUser | null;
  readonly edits: readonly FieldEdit[];
}

/** A token that was verified. It counts by every rule of its issuer that trusts the signer: each service has copies of its own. */
export interface KnownUser {
  readonly text: string;
  readonly signer: PublicJwk;
  /** Claims that were read as lists. */
  readonly spaced: readonly string[];
  readonly user: EndUser;
  readonly payload: string;
  readonly validFrom: Millis;
  readonly expiresAt: Millis;
  /** What a call goes on with that has shown the token alone, at one place; `null` until one has. */
  told: {
    readonly rules: readonly JwtRule[];
    readonly rule: JwtRule;
    readonly place: TokenPlace;
    readonly edits: readonly FieldEdit[];
  } | null;
}

/** Two generations of tokens, as for the mesh's own and by the same key: see `TokenCache`. */
export interface UserCache {
  young: Map<string, KnownUser>;
  old: Map<string, KnownUser>;
}

/** Of one generation: 2 MB of tokens, and claims that are as large. */
const MAX_KNOWN = 1_024;

/** How far the issuer's clock may be off, as in Envoy. */
const CLOCK_SKEW_MS: Millis = 60_000;

/** A cache that knows nobody. */
export function createUserCache(): UserCache {
  return { young: new Map(), old: new Map() };
}

type Failure =
  | "audience"
  | "expired"
  | "invalid"
  | "issuer"
  | "keys"
  | "malformed"
  | "signature"
  | "unexpected"
  | "young";

/** In Istio's words, which clients may know. */
const FAILURES: Readonly<Record<Failure, string>> = {
  audience: "Audiences in Jwt are not allowed",
  expired: "Jwt is expired",
  invalid: "Jwt verification fails",
  issuer: "Jwt issuer is not configured",
  keys: "Jwks remote fetch is failed",
  malformed: "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
  signature: "Jwks doesn't have key to match kid or alg from Jwt",
  unexpected: "Jwt verification fails",
  young: "Jwt not yet valid",
};

/**
 * Finds and verifies the end user's token. A rule counts if there is a token
 * at its places and all there count by it; the first such rule decides. If
 * there are tokens and no rule counts, the call is refused (Istio). A browser's
 * preflight is for nobody: it cannot bring a token in a header, and what it
 * brings is not verified (Envoy's `bypass_cors_preflight`, which Istio sets).
 * Unlike there, tokens in headers do not go on: a callee takes those that it
 * sees for verified.
 */
export async function identifyUser(
  mesh: Verifier,
  rules: readonly JwtRule[],
  credentials: UserCredentials,
): Promise<Identified | Refusal> {
  if (isPreflight(credentials)) return { kind: "user", user: null, edits: bared(rules, credentials) };
  let failure: Failure | null = null;
  const at = credentials.provedAt ?? mesh.ports.now();
  for (const rule of rules) {
    const found = tokensAt(rule.places, credentials);
    let last: KnownUser | null = null;
    let flaw: Failure | null = null;
    for (const token of found) {
      const known = recall(mesh, rule, token.text) ?? (await verify(mesh, rule, token.text, at));
      const wrong = typeof known === "string" ? known : judge(known, rule, at);
      if (wrong !== null) flaw = wrong;
      else if (typeof known !== "string") last = known;
    }
    if (flaw === null && last !== null)
      return { kind: "user", user: last.user, edits: editsFor(rules, rule, found, last) };
    // That a token is another issuer's says least about what is wrong with it.
    if (flaw !== null && (failure === null || failure === "issuer")) failure = flaw;
  }
  if (failure === null) return { kind: "user", user: null, edits: cleared(rules) };
  return refuse(CODES[failure] ?? "authn.token.invalid", FAILURES[failure]);
}

function isPreflight({ method, headers }: UserCredentials): boolean {
  return (
    method === "OPTIONS" && isSaid(headers, "origin") && isSaid(headers, "access-control-request-method")
  );
}

function isSaid(headers: HeaderReader, name: string): boolean {
  return (headers.get(name) ?? "") !== "";
}

const CODES: Partial<Record<Failure, "authn.token.audience" | "authn.token.expired">> = {
  audience: "authn.token.audience",
  expired: "authn.token.expired",
};

interface Found {
  readonly place: TokenPlace;
  readonly text: string;
}

function tokensAt(places: readonly TokenPlace[], credentials: UserCredentials): Found[] {
  const found: Found[] = [];
  for (const place of places) {
    const text = textAt(place, credentials);
    if (text !== null && text !== "") found.push({ place, text });
  }
  return found;
}

function textAt(place: TokenPlace, { headers, query, isBearerOurs }: UserCredentials): string | null {
  switch (place.kind) {
    case "header": {
      if (isBearerOurs && place.name === "authorization") return null;
      const value = headers.get(place.name);
      return value === null ? null : behind(place.prefix, value);
    }
    case "param":
      return query === "" ? null : only(valuesOf(query, place.name));
    case "cookie":
      return only(cookiesOf(headers.get("cookie"), place.name));
  }
}

/**
 * What stands behind a prefix, `null` without it. Schemes have no case (RFC
 * 9110 §11.1), and a callee may take any space after one: what it would take
 * for a token must not pass unseen.
 */
function behind(prefix: string, value: string): string | null {
  if (value.startsWith(prefix)) return value.slice(prefix.length).trim();
  const scheme = prefix.trimEnd();
  if (value.slice(0, scheme.length).toLowerCase() !== scheme.toLowerCase()) return null;
  const rest = value.slice(scheme.length);
  return scheme === prefix || /^\s/.test(rest) ? rest.trim() : null;
}

/** Values that differ are no token, as in a header that is repeated: the callee could take another than was verified. */
function only(values: readonly string[]): string | null {
  return values.length === 0 ? null : [...new Set(values)].join(",");
}

/** A token that was verified with a key that the rule trusts now. */
function recall(mesh: Verifier, rule: JwtRule, text: string): KnownUser | null {
  const cache = mesh.state.users;
  const key = cacheKey(text);
  const young = cache.young.get(key);
  const known = young ?? cache.old.get(key);
  if (known === undefined || known.text !== text || known.user.issuer !== rule.issuer) return null;
  if (!isSameList(known.spaced, rule.spaced) || !isTrusted(known.signer, knownKeys(mesh, rule.keys)))
    return null;
  if (young === undefined) keep(cache, known);
  return known;
}

function isSameList(one: readonly string[], other: readonly string[]): boolean {
  return one === other || (one.length === other.length && one.every((item, index) => item === other[index]));
}

function isTrusted(signer: PublicJwk, keys: readonly PublicJwk[] | null): boolean {
  if (keys === null) return false;
  for (const key of keys) if (key === signer || isSameKey(key, signer)) return true;
  return false;
}

/** Fields that are lists make a key differ from its copy: such a token is verified again. */
function isSameKey(one: PublicJwk, other: PublicJwk): boolean {
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && one[name] === other[name])
  );
}

function keep(cache: UserCache, known: KnownUser): void {
  if (cache.young.size >= MAX_KNOWN) {
    cache.old = cache.young;
    cache.young = new Map();
  }
  cache.young.set(cacheKey(known.text), known);
}

/** Signature last, so that nonsense costs neither keys nor cryptography. */
async function verify(mesh: Verifier, rule: JwtRule, text: string, at: Millis): Promise<KnownUser | Failure> {
  const tokens = await mesh.ports.userTokens();
  const token = tokens.readUserToken(text);
  if (token === null) return "malformed";
  if (token.issuer !== rule.issuer) return "issuer";
  const { validFrom, expiresAt, payload } = token;
  const untimely = judgeTime({ validFrom, expiresAt }, at);
  if (untimely !== null) return untimely;
  let keys = await keysFrom(mesh, rule.keys);
  if (keys !== null && !tokens.hasCandidate(token, keys)) keys = await newerKeys(mesh, rule.keys);
  if (keys === null) return "keys";
  if (!tokens.hasCandidate(token, keys)) return "signature";
  const signer = await tokens.signerOf(token, keys);
  if (signer === null) return "invalid";
  const user = tokens.userOf(token, rule);
  const { spaced } = rule;
  const known: KnownUser = { text, signer, spaced, user, payload, validFrom, expiresAt, told: null };
  keep(mesh.state.users, known);
  return known;
}

/** What depends on the moment, and on the rule alone. */
function judge({ user, ...times }: KnownUser, { audiences }: JwtRule, at: Millis): Failure | null {
  const untimely = judgeTime(times, at);
  if (untimely !== null) return untimely;
  return audiences.length === 0 || user.audiences.some((one) => audiences.includes(one)) ? null : "audience";
}

function judgeTime(
  { validFrom, expiresAt }: Pick<KnownUser, "validFrom" | "expiresAt">,
  now: Millis,
): Failure | null {
  // Written so that a time that is no number refuses.
  if (!(now < expiresAt + CLOCK_SKEW_MS)) return "expired";
  return validFrom <= now + CLOCK_SKEW_MS ? null : "young";
}

/** The same for all calls that show the token in the same way: made once. */
function editsFor(
  rules: readonly JwtRule[],
  rule: JwtRule,
  found: readonly Found[],
  known: KnownUser,
): readonly FieldEdit[] {
  const place = found.length === 1 ? found[0]?.place : undefined;
  if (place === undefined) return makeEdits(rules, rule, found, known);
  const { told } = known;
  if (told !== null && told.rules === rules && told.rule === rule && told.place === place) return told.edits;
  const edits = makeEdits(rules, rule, found, known);
  known.told = { rules, rule, place, edits };
  return edits;
}

/** Nobody but the mesh fills the fields that tell of tokens. */
function cleared(rules: readonly JwtRule[]): FieldEdit[] {
  const names = rules.flatMap(({ payloadHeader, claimHeaders }) => [
    ...(payloadHeader === undefined ? [] : [payloadHeader]),
    ...claimHeaders.map(({ header }) => header),
  ]);
  return names.map((name) => ({ name, value: null }));
}

/** Nor does a token in a header go on that nobody has verified. */
function bared(rules: readonly JwtRule[], credentials: UserCredentials): FieldEdit[] {
  const found = rules.flatMap(({ places }) => tokensAt(places, credentials));
  return [...cleared(rules), ...withoutTokens(found)];
}

function withoutTokens(found: readonly Found[]): FieldEdit[] {
  return found.flatMap(({ place }) => (place.kind === "header" ? [{ name: place.name, value: null }] : []));
}

function makeEdits(
  rules: readonly JwtRule[],
  rule: JwtRule,
  found: readonly Found[],
  { user, payload }: KnownUser,
): FieldEdit[] {
  const { isForwarded, payloadHeader, claimHeaders } = rule;
  const told = claimHeaders.map(({ header, claim }) => ({
    name: header,
    value: fieldOf(claimAt(user.claims, claim)),
  }));
  return [
    ...cleared(rules),
    ...(isForwarded ? [] : withoutTokens(found)),
    ...(payloadHeader === undefined ? [] : [{ name: payloadHeader, value: payload }]),
    ...told,
  ];
}

/** A claim as a field: lists between commas. What no field can hold, or is no text, is left out. */
function fieldOf(claim: unknown): string | null {
  const text = Array.isArray(claim) ? claim.filter(isPlain).join(",") : isPlain(claim) ? String(claim) : "";
  return /^[!-~](?:[\t -~]*[!-~])?$/.test(text) ? text : null;
}

function isPlain(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

/** Changes the fields that a call goes on with, once. */
export function applyEdits(headers: Headers, trail: { edits: readonly FieldEdit[] }): void {
  for (const { name, value } of trail.edits) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
  trail.edits = [];
}

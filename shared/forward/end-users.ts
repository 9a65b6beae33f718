/**
 * For whom a call is made: the end user's token, found and verified as the
 * callee's RequestAuthentications say. Without a token a call is for nobody;
 * with one that does not count it is refused.
 *
 * @module
 */
import { cookieOf } from "../engine/cookie.ts";
import { claimAt, type EndUser, type JwtRule, type PublicJwk, type TokenPlace } from "../engine/end-user.ts";
import { parseQuery } from "../engine/query.ts";
import type { HeaderReader } from "../engine/request.ts";
import type { Millis } from "../engine/time.ts";
import { keysFrom, knownKeys, newerKeys } from "./issuer-keys.ts";
import type { Verifier } from "./issuer-keys.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";

/** Where tokens are looked for. */
export interface UserCredentials {
  readonly headers: HeaderReader;
  readonly query: string;
  /** `authorization` holds a token of the mesh: it says nothing of end users. */
  readonly isBearerOurs: boolean;
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

/** A token that was verified, by its text. */
export interface KnownUser {
  readonly rule: JwtRule;
  readonly keys: readonly PublicJwk[];
  readonly user: EndUser;
  readonly payload: string;
  readonly validFrom: Millis;
  readonly expiresAt: Millis;
}

/** Two generations of tokens, as for the mesh's own: see `TokenCache`. */
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
 * there are tokens and no rule counts, the call is refused (Istio).
 */
export async function identifyUser(
  mesh: Verifier,
  rules: readonly JwtRule[],
  credentials: UserCredentials,
): Promise<Identified | Refusal> {
  let failure: Failure | null = null;
  for (const rule of rules) {
    const found = tokensAt(rule.places, credentials);
    let last: KnownUser | null = null;
    let flaw: Failure | null = null;
    for (const token of found) {
      const known = recall(mesh, rule, token.text) ?? (await verify(mesh, rule, token.text));
      const wrong = typeof known === "string" ? known : judge(known, rule, mesh.ports.now());
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

const CODES: Partial<Record<Failure, "authn.token.audience" | "authn.token.expired">> = {
  audience: "authn.token.audience",
  expired: "authn.token.expired",
};

interface Found {
  readonly place: TokenPlace;
  readonly text: string;
}

function tokensAt(places: readonly TokenPlace[], credentials: UserCredentials): Found[] {
  return places.flatMap((place) => {
    const text = textAt(place, credentials);
    return text === null || text === "" ? [] : [{ place, text }];
  });
}

function textAt(place: TokenPlace, { headers, query, isBearerOurs }: UserCredentials): string | null {
  switch (place.kind) {
    case "header": {
      if (isBearerOurs && place.name === "authorization") return null;
      const value = headers.get(place.name);
      return value === null || !value.startsWith(place.prefix)
        ? null
        : value.slice(place.prefix.length).trim();
    }
    case "param":
      return query.includes(place.name) ? (parseQuery(query).get(place.name) ?? null) : null;
    case "cookie":
      return cookieOf(headers.get("cookie"), place.name);
  }
}

/** A token that was verified by this rule with the keys that count now. */
function recall(mesh: Verifier, rule: JwtRule, text: string): KnownUser | null {
  const cache = mesh.state.users;
  const known = cache.young.get(text) ?? cache.old.get(text);
  if (known === undefined || known.rule !== rule || known.keys !== knownKeys(mesh, rule.keys)) return null;
  if (!cache.young.has(text)) keep(cache, text, known);
  return known;
}

function keep(cache: UserCache, text: string, known: KnownUser): void {
  if (cache.young.size >= MAX_KNOWN) {
    cache.old = cache.young;
    cache.young = new Map();
  }
  cache.young.set(text, known);
}

/** Signature last, so that nonsense costs neither keys nor cryptography. */
async function verify(mesh: Verifier, rule: JwtRule, text: string): Promise<KnownUser | Failure> {
  const tokens = await mesh.ports.userTokens();
  const token = tokens.readUserToken(text);
  if (token === null) return "malformed";
  if (token.issuer !== rule.issuer) return "issuer";
  const { validFrom, expiresAt, payload } = token;
  const untimely = judgeTime({ validFrom, expiresAt }, mesh.ports.now());
  if (untimely !== null) return untimely;
  let keys = await keysFrom(mesh, rule.keys);
  if (keys !== null && !tokens.hasCandidate(token, keys)) keys = await newerKeys(mesh, rule.keys);
  if (keys === null) return "keys";
  if (!tokens.hasCandidate(token, keys)) return "signature";
  if ((await tokens.signerOf(token, keys)) === null) return "invalid";
  const known: KnownUser = { rule, keys, user: tokens.userOf(token, rule), payload, validFrom, expiresAt };
  keep(mesh.state.users, text, known);
  return known;
}

/** What depends on the moment, and on the rule alone. */
function judge({ user, ...times }: KnownUser, { audiences }: JwtRule, now: Millis): Failure | null {
  const untimely = judgeTime(times, now);
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

/** Nobody but the mesh fills the fields that tell of tokens. */
function cleared(rules: readonly JwtRule[]): FieldEdit[] {
  const names = rules.flatMap(({ payloadHeader, claimHeaders }) => [
    ...(payloadHeader === undefined ? [] : [payloadHeader]),
    ...claimHeaders.map(({ header }) => header),
  ]);
  return names.map((name) => ({ name, value: null }));
}

function editsFor(
  rules: readonly JwtRule[],
  rule: JwtRule,
  found: readonly Found[],
  { user, payload }: KnownUser,
): FieldEdit[] {
  const { isForwarded, payloadHeader, claimHeaders } = rule;
  const spent = found.flatMap(({ place }) =>
    place.kind === "header" && !isForwarded ? [{ name: place.name, value: null }] : [],
  );
  const told = claimHeaders.map(({ header, claim }) => ({
    name: header,
    value: fieldOf(claimAt(user.claims, claim)),
  }));
  return [
    ...cleared(rules),
    ...spent,
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

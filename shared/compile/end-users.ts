/**
 * RequestAuthentications and AuthorizationProviders, as hosts carry them out.
 *
 * @module
 */
import type { AuthorizationProvider } from "../engine/authorize.ts";
import type { JwtRule, KeySource, TokenPlace } from "../engine/end-user.ts";
import { parseAddress } from "../wire/address.ts";
import { parseDuration } from "../wire/duration.ts";
import { parseJwks } from "../wire/jwks.ts";
import type { Resource } from "../wire/resource.ts";
import type { AuthorizationProviderSpec } from "../wire/resources/authorization-provider.ts";
import type { JwtRuleSpec, RequestAuthenticationSpec } from "../wire/resources/request-authentication.ts";
import { scopeOf, type Policy } from "./policy.ts";

/** A RequestAuthentication, its rules compiled. */
export interface UserPolicy extends Policy {
  readonly rules: readonly JwtRule[];
}

/** Compiles a RequestAuthentication. */
export function compileUsers({ metadata, spec }: Resource<RequestAuthenticationSpec>): UserPolicy {
  const { namespace, name } = metadata;
  return { namespace, name, scope: scopeOf(spec), rules: spec.jwtRules.map(compileRule) };
}

function compileRule(rule: JwtRuleSpec): JwtRule {
  return {
    issuer: rule.issuer,
    audiences: rule.audiences,
    keys: keysOf(rule),
    places: placesOf(rule),
    isForwarded: rule.forwardOriginalToken,
    ...(rule.outputPayloadToHeader === undefined
      ? {}
      : { payloadHeader: rule.outputPayloadToHeader.toLowerCase() }),
    claimHeaders: rule.outputClaimToHeaders.map(({ header, claim }) => ({
      header: header.toLowerCase(),
      claim: claim.split("."),
    })),
    spaced: rule.spaceDelimitedClaims,
  };
}

/** Stored specs have been parsed: keys that cannot be read were never accepted, and verify nothing. */
function keysOf({ jwks, jwksUri = "", timeout }: JwtRuleSpec): KeySource {
  if (jwks === undefined) return { kind: "remote", uri: jwksUri, timeoutMs: parseDuration(timeout) ?? 5_000 };
  const parsed = parseJwks(jwks);
  return { kind: "inline", keys: parsed.ok ? parsed.keys : [] };
}

/** Istio's places where a rule names none. */
const USUAL: readonly TokenPlace[] = [
  { kind: "header", name: "authorization", prefix: "Bearer " },
  { kind: "param", name: "access_token" },
];

function placesOf({ fromHeaders, fromParams, fromCookies }: JwtRuleSpec): readonly TokenPlace[] {
  const places: TokenPlace[] = [
    ...fromHeaders.map(({ name, prefix }) => ({ kind: "header" as const, name: name.toLowerCase(), prefix })),
    ...fromParams.map((name) => ({ kind: "param" as const, name })),
    ...fromCookies.map((name) => ({ kind: "cookie" as const, name })),
  ];
  return places.length === 0 ? USUAL : places;
}

/** Compiles an AuthorizationProvider; `null`: nobody could be asked at such an address, which was never accepted. */
export function compileProvider({
  metadata,
  spec,
}: Resource<AuthorizationProviderSpec>): AuthorizationProvider | null {
  const parsed = parseAddress(spec.address);
  if (!parsed.ok) return null;
  return {
    name: metadata.name,
    address: parsed.address,
    pathPrefix: spec.pathPrefix ?? "",
    timeoutMs: parseDuration(spec.timeout) ?? 200,
    sends: lower(spec.includeRequestHeadersInCheck),
    adds: spec.includeAdditionalHeadersInCheck,
    toUpstream: lower(spec.headersToUpstreamOnAllow),
    toDenied: lower(spec.headersToDownstreamOnDeny),
    failsOpen: spec.failOpen,
    statusOnError: spec.statusOnError,
  };
}

function lower(names: readonly string[]): string[] {
  return names.map((name) => name.toLowerCase());
}

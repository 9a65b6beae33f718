/**
 * Principals by OpenID Connect: a token of an issuer that whoever deployed the
 * mesh trusts, Cloudflare Access among them, and what its claims allow.
 *
 * @module
 */
import { jwtVerify, type JWTPayload } from "jose";
import { z } from "zod";
import type { Env } from "../../durable-objects/env.ts";
import { ROLES, type Principal } from "../../shared/wire/access.ts";
import { label } from "../../shared/wire/resource.ts";
import { ALGORITHMS, CLOCK_TOLERANCE_SECONDS, refuseOrRetry, remoteKeys } from "./remote-keys.ts";
import { trustedIssuers } from "./trusted-issuers.ts";

const grant = z
  .strictObject({
    /** The claim that must hold one of `values`; without one the grant is for everybody of the issuer. */
    claim: z.string().min(1).optional(),
    values: z.array(z.string()).min(1).optional(),
    role: z.enum(ROLES),
    namespaces: z.array(label).min(1).optional(),
  })
  .refine(({ claim, values }) => (claim === undefined) === (values === undefined), {
    error: "claim and values go together",
  })
  .refine(({ role, namespaces }) => (role === "editor" ? namespaces !== undefined : true), {
    error: "an editor needs namespaces",
  })
  .refine(({ role, namespaces }) => (role === "admin" ? namespaces === undefined : true), {
    error: "an admin's role counts everywhere: leave namespaces out",
  });

const issuer = z.strictObject({
  /** As `iss` has it. */
  issuer: z.string().min(1),
  /** What `aud` must hold. */
  audience: z.string().min(1),
  /** Where its keys are: `https`, and `http` for a mesh that allows private endpoints. */
  jwksUri: z.url({ protocol: /^https?$/ }),
  /** The claim that names people; `email`, or `sub` for a token without. */
  subject: z.string().min(1).default("email"),
  /** The first that fits counts; without one that fits a valid token is refused. */
  grants: z.array(grant).min(1),
});

/** The setting `SELVEDGE_ADMIN_OIDC`: JSON, a list of issuers. */
export const oidcSettings = z.array(issuer).max(16);

type Issuer = z.output<typeof issuer>;

const issuerOf = trustedIssuers("SELVEDGE_ADMIN_OIDC", oidcSettings);

/** The principal of an issuer's token. `null`: it is none of theirs, does not verify, or nothing is granted to it. */
export async function principalOf(token: string, env: Env): Promise<Principal | null> {
  const found = issuerOf(token, env.SELVEDGE_ADMIN_OIDC ?? "", env.SELVEDGE_PRIVATE_ENDPOINTS === "allow");
  if (found === null) return null;
  try {
    const { payload } = await jwtVerify(token, remoteKeys(found.jwksUri), {
      issuer: found.issuer,
      audience: found.audience,
      algorithms: ALGORITHMS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ["exp", "sub"],
    });
    return grantedTo(payload, found);
  } catch (error) {
    return refuseOrRetry(error, found.issuer);
  }
}

function grantedTo(payload: JWTPayload, { subject, grants }: Issuer): Principal | null {
  const found = grants.find(
    ({ claim, values }) => claim === undefined || holds(claimOf(payload, claim), values ?? []),
  );
  if (found === undefined) return null;
  const name = claimOf(payload, subject);
  return {
    id: `oidc/${typeof name === "string" && name !== "" ? name : payload.sub}`.slice(0, 320),
    role: found.role,
    namespaces: found.namespaces ?? null,
  };
}

/** An address that its issuer itself has not verified is anybody's (OpenID Connect Core 5.1), and counts for nothing. */
function claimOf(payload: JWTPayload, claim: string): unknown {
  const isUnverified = claim === "email" && [false, "false"].some((no) => no === payload["email_verified"]);
  return isUnverified ? undefined : payload[claim];
}

function holds(claim: unknown, values: readonly string[]): boolean {
  const held: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  return held.some((value) => typeof value === "string" && values.includes(value));
}

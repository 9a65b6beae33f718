/**
 * The admin API's operations on the certificate authority: schemas of
 * requests and answers, by the rules of `admin.ts`.
 *
 * @module
 */
import { z } from "zod";
import { issuedToken } from "./admin.ts";

const instant = z.number().meta({ description: "Milliseconds since the epoch." });
const state = z.enum(["next", "current", "previous"]);
const workload = z
  .string()
  .max(2048)
  .regex(/^[^/]+\/[^/]+$/, "write namespace/service-account");

/** The SPIFFE trust bundle. */
export const trustBundleDocument = z
  .object({
    keys: z
      .array(
        z.object({
          use: z.enum(["x509-svid", "jwt-svid"]),
          kty: z.string(),
          kid: z.string().optional(),
          crv: z.string().optional(),
          x: z.string().optional(),
          y: z.string().optional(),
          n: z.string().optional(),
          e: z.string().optional(),
          x5c: z.array(z.string()).readonly().optional().meta({ description: "A root, DER in base64." }),
        }),
      )
      .readonly(),
    spiffe_sequence: z.int().meta({ description: "A larger one is newer." }),
    spiffe_refresh_hint: z.int().meta({ description: "Seconds after which to fetch it again." }),
  })
  .meta({ id: "TrustBundle" });

/** What `GET /ca` and every change of the authority answer. */
export const authorityStatus = z
  .object({
    trustDomain: z.string(),
    roots: z
      .array(
        z.object({
          id: z.string().meta({ description: "SHA-256 of the certificate, in hex." }),
          state,
          source: z.enum(["own", "upstream"]),
          notAfter: instant,
          takesOverAt: instant.nullable(),
          leavesAt: instant.nullable(),
        }),
      )
      .readonly(),
    intermediate: z.object({
      id: z.string(),
      rootId: z.string(),
      notAfter: instant,
      renewsAt: instant.nullable(),
    }),
    signingKeys: z.array(z.object({ kid: z.string(), state })).readonly(),
    issued: z.int().meta({ description: "Lines of the audit." }),
    revoked: z.int().meta({ description: "Revocations that still matter." }),
    sequence: z.int(),
    isPublished: z.boolean(),
    warnings: z.array(z.string()).readonly(),
  })
  .meta({ id: "AuthorityStatus" });

/** Body of `POST /ca/rotate`. */
export const rotateRequest = z
  .strictObject({ what: z.enum(["signing-key", "intermediate", "root"]) })
  .meta({ id: "RotateRequest" });

/** Body of `POST /ca/load`. */
export const loadRequest = z
  .strictObject({
    chain: z.string().min(1).meta({ description: "PEM: the intermediate, its issuers, and the root." }),
    key: z.string().min(1).meta({ description: "PEM: the intermediate's key, PKCS #8, ECDSA P-256." }),
  })
  .meta({ id: "LoadRequest" });

/** Body of `POST /ca/certificates`. */
export const certificateRequest = z
  .strictObject({
    workload: workload.meta({ description: "`namespace/service-account`: who holds the key." }),
    csr: z.string().min(1).meta({ description: "PKCS #10 in PEM; nothing but its key is taken." }),
    ttlSeconds: z.int().min(600).max(604_800).optional().meta({ description: "86,400 unless given." }),
  })
  .meta({ id: "CertificateRequest" });

/** What `POST /ca/certificates` answers: an X509-SVID. */
export const issuedCertificate = z
  .object({
    certificate: z.string().meta({ description: "PEM." }),
    chain: z.string().meta({ description: "PEM: what leads from the certificate to a root, in order." }),
    serial: z.string().meta({ description: "In hex." }),
    subject: z.string(),
    notBefore: instant,
    expiresAt: instant,
  })
  .meta({ id: "IssuedCertificate" });

/** Body of `POST /ca/revocations`. */
export const revokeRequest = z
  .strictObject({
    kind: z.enum(["serial", "jti", "identity"]),
    value: z.string().min(1).max(2048).meta({
      description: "A serial number in hex, a `jti`, or `namespace/service-account`.",
    }),
    reason: z.string().max(500).default(""),
  })
  .meta({ id: "RevokeRequest" });

/** What `POST /ca/revocations` answers. */
export const revocation = z
  .object({
    kind: z.enum(["serial", "jti", "identity"]),
    value: z.string(),
    before: instant
      .nullable()
      .meta({ description: "Of an identity: what was issued before counts no longer." }),
    reason: z.string(),
    author: z.string(),
    at: instant,
    until: instant.meta({ description: "Until when it matters." }),
    isKnown: z.boolean().meta({ description: "Whether the audit knows what was issued under the name." }),
  })
  .meta({ id: "Revocation" });

/** What `GET /ca/revocations` answers, newest first. */
export const revocationList = z
  .object({ items: z.array(revocation).readonly() })
  .meta({ id: "RevocationList" });

/** What `GET /ca/audit` answers, newest first. */
export const auditPage = z
  .object({
    items: z
      .array(
        z
          .object({
            number: z.int(),
            kind: z.enum(["jwt-svid", "x509-svid"]),
            id: z.string().meta({ description: "The `jti` or the serial number." }),
            subject: z.string(),
            audience: z.string().meta({ description: "Empty for a certificate." }),
            issuer: z.string().meta({ description: "The key or the intermediate that signed." }),
            requester: z.string().meta({ description: "Who asked, by what proof." }),
            at: instant,
            expiresAt: instant,
            boundTo: z.string().optional().meta({
              description:
                "Of a token that is bound: to `certificate/<serial>`, or to `thumbprint/<x5t#S256>`.",
            }),
            hash: z.string().optional().meta({ description: "With which the chain of the log goes on." }),
          })
          .meta({ id: "AuditLine" }),
      )
      .readonly(),
    next: z.int().nullable().meta({ description: "`before` of the next page; null on the last." }),
  })
  .meta({ id: "AuditPage" });

// Joining -------------------------------------------------------------------

/** Body of `POST /join-tokens`. */
export const joinTokenRequest = z
  .strictObject({
    scope: workload.meta({ description: "`namespace/service-account`, or `namespace/prefix*`." }),
    ttlSeconds: z.int().min(60).max(604_800).default(3_600),
  })
  .meta({ id: "JoinTokenRequest" });

/** A join token without its secret. */
export const joinToken = z
  .object({
    id: z.string(),
    scope: z.string(),
    author: z.string(),
    createdAt: instant,
    expiresAt: instant,
    usedBy: z.string().nullable(),
    usedAt: instant.nullable(),
  })
  .meta({ id: "JoinToken" });

/** What `POST /join-tokens` answers: the token is told this once. */
export const grantedJoinToken = joinToken.extend({ token: z.string() }).meta({ id: "GrantedJoinToken" });

/** What `GET /join-tokens` answers, newest first. */
export const joinTokenList = z.object({ items: z.array(joinToken).readonly() }).meta({ id: "JoinTokenList" });

/** Body of `POST /join`. */
export const joinRequest = z
  .strictObject({
    joinToken: z.string().max(128).optional().meta({ description: "A proof: good once." }),
    serviceAccountToken: z
      .string()
      .max(8192)
      .optional()
      .meta({ description: "A proof: a projected token of a cluster that the mesh trusts." }),
    assertion: z
      .string()
      .max(8192)
      .optional()
      .meta({ description: "A proof: a JWT signed with the key of a certificate of the mesh." }),
    workload: workload
      .optional()
      .meta({ description: "Needed where a join token is for several; elsewhere what the proof says." }),
    csr: z.string().min(1).optional().meta({ description: "For a certificate: PKCS #10 in PEM." }),
    certificateTtlSeconds: z.int().min(600).max(604_800).optional(),
    audience: z.string().min(1).max(2048).optional().meta({ description: "For a token: a SPIFFE id." }),
    bound: z.boolean().default(false).meta({
      description:
        "Binds the token to the certificate of the same answer; where none is asked for, to the one that is the proof.",
    }),
  })
  .refine(
    ({ joinToken, serviceAccountToken, assertion }) => count(joinToken, serviceAccountToken, assertion) === 1,
    {
      error: "send one proof: joinToken, serviceAccountToken or assertion",
    },
  )
  .refine((body) => body.csr !== undefined || body.audience !== undefined, {
    error: "ask for a certificate (csr), a token (audience), or both",
  })
  .refine(({ bound, csr, assertion }) => !bound || csr !== undefined || assertion !== undefined, {
    path: ["bound"],
    error: "needs a certificate: ask for one too (csr), or prove yourself by one (assertion)",
  })
  .refine(({ bound, audience }) => !bound || audience !== undefined, {
    path: ["bound"],
    error: "is about a token: ask for one (audience)",
  })
  .meta({ id: "JoinRequest" });

/** What `POST /join` answers; null what was not asked for. */
export const joined = z
  .object({ certificate: issuedCertificate.nullable(), token: issuedToken.nullable() })
  .meta({ id: "Joined" });

function count(...values: readonly unknown[]): number {
  return values.filter((value) => value !== undefined).length;
}

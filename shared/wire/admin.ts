/**
 * The admin API as both sides see it: schemas of requests and answers, used
 * by the server to check and to describe itself, and by clients to read.
 *
 * Requests are strict: an unknown field is an error. Answers are not, so that
 * a client reads what a newer mesh says.
 *
 * @module
 */
import { z } from "zod";
import { PROBLEMS, type ProblemCode } from "./problem.ts";
import { label, subdomain } from "./resource.ts";
import { localityText } from "./resources/fields.ts";

/** Every path of the API but the three public documents and `/metrics` begins with this. */
export const API_PREFIX = "/api/v1";

/** Stands for "no namespace" in a path, for kinds that have none. */
export const NO_NAMESPACE = "-";

/** Largest body of `apply` and `delete`: 8 MiB, a thousandfold of a usual document. */
export const MAX_CONFIGURATION_BYTES = 8 * 1024 * 1024;

/** Largest body of every other request: 64 KiB. */
export const MAX_BODY_BYTES = 64 * 1024;

/** Most references in one delete: as many as one apply has documents. */
const MAX_REFS = 10_000;

// Problems ------------------------------------------------------------------

const codes = Object.keys(PROBLEMS).filter((code): code is ProblemCode => code in PROBLEMS);

/** An error as the admin API answers it: RFC 9457 problem details. */
export const problemDocument = z
  .object({
    type: z.literal("about:blank"),
    title: z.string(),
    status: z.int(),
    code: z.enum(codes).meta({ description: "What went wrong, for programs." }),
    detail: z.string().meta({ description: "What to check or to write instead, for people." }),
    instance: z.string().meta({ description: "The request id, as in the mesh's logs." }),
    fields: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .readonly()
      .optional()
      .meta({ description: "Every invalid field." }),
  })
  .meta({ id: "Problem" });
export type ProblemDocument = z.infer<typeof problemDocument>;

// Resources -----------------------------------------------------------------

const stringMap = z.record(z.string(), z.string()).readonly();
const revisionNumber = z.int().min(0);

const resourceRef = z
  .object({
    apiVersion: z.string(),
    kind: z.string(),
    namespace: z.string().meta({ description: "Empty for kinds without namespace." }),
    name: z.string(),
  })
  .meta({ id: "ResourceRef" });

/** A stored resource. */
export const resource = z
  .object({
    apiVersion: z.string(),
    kind: z.string(),
    metadata: z.object({
      name: z.string(),
      namespace: z.string(),
      labels: stringMap,
      annotations: stringMap,
      uid: z.string(),
      generation: z.int(),
      creationTimestamp: z.string(),
    }),
    spec: z.unknown(),
    status: z.unknown().optional().meta({ description: "What became of it: Gateway API's conditions." }),
  })
  .meta({ id: "Resource" });

/** What `GET /resources` answers. */
export const resourceList = z.object({ items: z.array(resource).readonly() }).meta({ id: "ResourceList" });

/** Body of `POST /apply`. */
export const applyRequest = z
  .strictObject({
    documents: z
      .array(z.unknown())
      .readonly()
      .meta({ description: "Resources, as in a YAML file, as JSON." }),
    defaultNamespace: label.optional().meta({ description: "For documents that name none." }),
    dryRun: z.boolean().optional().meta({ description: "Answer as if applied; change nothing." }),
    ifRevision: revisionNumber
      .optional()
      .meta({ description: "Apply only on this revision; 412 otherwise." }),
    prune: z.boolean().optional().meta({
      description: "Delete every other resource of the mesh: its configuration is exactly the documents.",
    }),
    maxFlips: z.int().min(0).optional().meta({
      description:
        "Apply only if at most so many distinct recorded calls would be decided otherwise; 409 else.",
    }),
    force: z.boolean().optional().meta({ description: "Apply even so, and warn of them." }),
  })
  .meta({ id: "ApplyRequest" });

const change = z
  .object({ ref: resourceRef, change: z.enum(["created", "configured", "unchanged", "deleted"]) })
  .meta({ id: "Change" });

/** What every change of configuration answers. */
export const applyAnswer = z
  .object({
    revision: revisionNumber.meta({ description: "The revision in force." }),
    changes: z.array(change).readonly(),
    warnings: z
      .array(z.string())
      .readonly()
      .meta({ description: "Not errors, but probably not what was meant." }),
  })
  .meta({ id: "ApplyAnswer" });

/** Resources that a request names. */
export const resourceRefs = z
  .array(
    z.strictObject({
      apiVersion: z.string().min(1),
      kind: z.string().min(1),
      namespace: label.or(z.literal("")),
      name: subdomain,
    }),
  )
  .max(MAX_REFS);

/** Body of `POST /delete`. */
export const deleteRequest = z
  .strictObject({ refs: resourceRefs.min(1).readonly() })
  .meta({ id: "DeleteRequest" });

// Revisions -----------------------------------------------------------------

/** What `GET /revisions` answers, newest first. */
export const revisionList = z
  .object({
    items: z
      .array(
        z
          .object({
            revision: revisionNumber,
            at: z.number().meta({ description: "Milliseconds since the epoch." }),
            author: z.string(),
            reason: z.string(),
            changes: z.array(change).readonly(),
          })
          .meta({ id: "Revision" }),
      )
      .readonly(),
  })
  .meta({ id: "RevisionList" });

/** What `GET /diff` answers: the resources that differ between two revisions. */
export const diffAnswer = z
  .object({
    from: revisionNumber,
    to: revisionNumber,
    differences: z
      .array(z.object({ ref: resourceRef, before: resource.nullable(), after: resource.nullable() }))
      .readonly(),
  })
  .meta({ id: "DiffAnswer" });

/** Body of `POST /rollback`. */
export const rollbackRequest = z
  .strictObject({ revision: revisionNumber.meta({ description: "Whose content to restore." }) })
  .meta({ id: "RollbackRequest" });

// Services and endpoints ----------------------------------------------------

/** A service with its endpoints and their health. */
export const serviceStatus = z
  .object({
    namespace: z.string(),
    name: z.string(),
    ports: z.array(z.object({ name: z.string(), port: z.int() })).readonly(),
    endpoints: z
      .array(
        z.object({
          id: z.string(),
          address: z.string(),
          version: z.string(),
          weight: z.number(),
          health: z.enum(["healthy", "unhealthy", "draining"]),
          isEjected: z
            .boolean()
            .meta({ description: "Taken out by the mesh's shared circuit or its outlier detection." }),
          source: z.enum(["declared", "registered"]),
        }),
      )
      .readonly(),
  })
  .meta({ id: "ServiceStatus" });

/** What `GET /services` answers. */
export const serviceList = z.object({ items: z.array(serviceStatus).readonly() }).meta({ id: "ServiceList" });

/** Body of `PUT /services/{namespace}/{name}/endpoints/{id}`. */
export const registrationRequest = z
  .strictObject({
    address: z
      .string()
      .min(1)
      .max(2048)
      .meta({ description: "`https://host:port`, `binding:NAME` or `dispatch:NAME`." }),
    labels: stringMap.default({}),
    weight: z.int().min(1).max(1000).default(1),
    serviceAccount: label
      .nullable()
      .default(null)
      .meta({ description: "Who runs there; the namespace's `default` when null." }),
    joined: z.boolean().default(false).meta({ description: "Runs the mesh's library itself." }),
    locality: localityText.optional().meta({
      description: "Where it is, `region` or `region/zone`; its labels of topology say it otherwise.",
    }),
    ttlSeconds: z
      .int()
      .min(5)
      .max(3600)
      .default(30)
      .meta({ description: "Without a heartbeat for so long, it lapses." }),
  })
  .meta({ id: "RegistrationRequest" });

/** What registering and heartbeats answer. */
export const lease = z
  .object({
    id: z.string(),
    expiresAt: z.number().meta({ description: "Milliseconds since the epoch." }),
    heartbeatEveryMs: z.number(),
  })
  .meta({ id: "Lease" });

// Tokens --------------------------------------------------------------------

/** Body of `POST /tokens`. */
export const tokenRequest = z
  .strictObject({
    workload: z
      .string()
      .regex(/^[^/]+\/[^/]+$/, "write namespace/service-account")
      .meta({ description: "`namespace/service-account`: who the bearer will be." }),
    audience: z
      .string()
      .max(2048)
      .optional()
      .meta({ description: "A SPIFFE id; the mesh's own, `spiffe://<trust domain>`, unless given." }),
    ttlSeconds: z.int().min(10).max(3600).optional().meta({ description: "300 unless given." }),
    boundTo: z
      .string()
      .regex(/^[A-Za-z0-9_-]{43}$/, "write a certificate's SHA-256 in base64url, 43 characters")
      .optional()
      .meta({ description: "`x5t#S256` of the certificate without which the token is not to count." }),
  })
  .meta({ id: "TokenRequest" });

/** What `POST /tokens` answers: a JWT-SVID. */
export const issuedToken = z
  .object({
    token: z.string(),
    id: z.string(),
    subject: z.string(),
    expiresAt: z.number(),
    boundTo: z
      .string()
      .optional()
      .meta({ description: "`x5t#S256` of the certificate that it is bound to; absent when it is to none." }),
  })
  .meta({ id: "IssuedToken" });

/** The mesh's public keys, as a JWK Set (RFC 7517). */
export const keySet = z
  .object({
    keys: z
      .array(
        z.object({
          kid: z.string(),
          kty: z.literal("EC"),
          crv: z.literal("P-256"),
          x: z.string(),
          y: z.string(),
          alg: z.literal("ES256"),
          use: z.literal("sig"),
        }),
      )
      .readonly(),
  })
  .meta({ id: "KeySet" });

// Observation ---------------------------------------------------------------

/** Who calls whom, how often, how well. */
export const topology = z
  .object({
    windowMs: z.number().meta({ description: "What rates and latencies cover." }),
    nodes: z.array(z.string()).readonly(),
    edges: z
      .array(
        z.object({
          source: z.string(),
          destination: z.string(),
          version: z.string(),
          requestsPerSecond: z.number(),
          successRatio: z.number().meta({ description: "Share of answers below 500, 0 to 1." }),
          p50Ms: z.number(),
          p99Ms: z.number(),
        }),
      )
      .readonly(),
  })
  .meta({ id: "Topology" });

/** The mesh in numbers. */
export const meshStatus = z
  .object({
    trustDomain: z.string(),
    revision: revisionNumber,
    version: z.int(),
    resources: z.int(),
    services: z.int(),
    endpoints: z.int(),
    healthyEndpoints: z.int(),
    ejected: z
      .array(z.object({ service: z.string(), endpoints: z.int() }))
      .readonly()
      .exactOptional()
      .meta({ description: "Services of which endpoints are ejected, and how many." }),
    store: z
      .discriminatedUnion("kind", [
        z.object({
          kind: z.literal("on"),
          version: z.int().meta({ description: "All units up to this version are stored." }),
          checkedAt: z.int().meta({ description: "When that was last true of everything; 0 for never." }),
          failures: z.int().meta({ description: "Attempts to store in a row that failed." }),
        }),
        z.object({ kind: z.literal("off"), why: z.enum(["no-namespace", "no-secret"]) }),
      ])
      .optional()
      .meta({ description: "The copies of the configuration outside of the registry." }),
    isolates: z
      .object({ current: z.int(), stale: z.int(), oldestVersion: z.int().nullable() })
      .optional()
      .meta({
        description:
          "Isolates that have reported within a minute: those whose configuration was confirmed, the others.",
      }),
  })
  .meta({ id: "MeshStatus" });

/** What `/healthz` answers while the Worker runs; it asks no object. */
export const healthAnswer = z
  .object({ status: z.literal("ok"), version: z.string() })
  .meta({ id: "HealthAnswer" });

/**
 * Service accounts of Kubernetes: a projected token, signed by a cluster that
 * whoever deployed the mesh trusts, proves one workload and no other.
 *
 * @module
 */
import { createLocalJWKSet, jwtVerify, type JWTPayload } from "jose";
import { z } from "zod";
import type { Env } from "../../durable-objects/env.ts";
import { SYSTEM_NAMESPACE } from "../../shared/compile/policy.ts";
import { parseWorkload } from "../../shared/identity/spiffe.ts";
import { label } from "../../shared/wire/resource.ts";
import { ALGORITHMS, CLOCK_TOLERANCE_SECONDS, refuseOrRetry, remoteKeys } from "./remote-keys.ts";
import { trustedIssuers } from "./trusted-issuers.ts";

const cluster = z
  .strictObject({
    /** Names the cluster in the audit. */
    name: label,
    /** As `iss` has it: `--service-account-issuer` of its API server. */
    issuer: z.string().min(1),
    /** What `aud` must hold: the `audience` of the projected volume. */
    audience: z.string().min(1),
    /** Where its keys are: `https`, and `http` for a mesh that allows private endpoints. */
    jwksUri: z.url({ protocol: /^https?$/ }).optional(),
    /** Its keys themselves, `kubectl get --raw /openid/v1/jwks`: for a cluster that the mesh cannot reach. */
    jwks: z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) }).optional(),
    /**
     * Which of its namespaces are which of the mesh's. Unless given all by
     * their own names, but for the mesh's own namespace: whoever may make a
     * namespace of that name in a cluster need not be who runs the mesh.
     */
    namespaces: z.record(label, label).optional(),
  })
  .refine(({ jwks, jwksUri }) => (jwks === undefined) !== (jwksUri === undefined), {
    error: "write jwksUri or jwks",
  });

/** The setting `SELVEDGE_WORKLOAD_ISSUERS`: JSON, a list of clusters. */
export const workloadIssuers = z.array(cluster).max(64);

type Cluster = z.output<typeof cluster>;

/** Who a token proves. */
export interface ServiceAccount {
  /** `namespace/service-account` of the mesh. */
  readonly workload: string;
  /** By which proof, for the audit. */
  readonly proof: string;
}

const clusterOf = trustedIssuers("SELVEDGE_WORKLOAD_ISSUERS", workloadIssuers);

/** The workload of a service account's token. `null`: it is no cluster's, does not verify, or is of no mapped namespace. */
export async function serviceAccountOf(token: string, env: Env): Promise<ServiceAccount | null> {
  const found = clusterOf(
    token,
    env.SELVEDGE_WORKLOAD_ISSUERS ?? "",
    env.SELVEDGE_PRIVATE_ENDPOINTS === "allow",
  );
  if (found === null) return null;
  const options = {
    issuer: found.issuer,
    audience: found.audience,
    algorithms: ALGORITHMS,
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    requiredClaims: ["exp", "sub"],
  };
  try {
    const { payload } =
      found.jwks === undefined
        ? await jwtVerify(token, remoteKeys(found.jwksUri ?? ""), options)
        : await jwtVerify(token, createLocalJWKSet(found.jwks), options);
    return accountIn(payload, found);
  } catch (error) {
    return refuseOrRetry(error, found.issuer);
  }
}

/** Only `sub` counts; what the token tells besides must not say otherwise. */
function accountIn(payload: JWTPayload, { name, namespaces }: Cluster): ServiceAccount | null {
  const [, namespace, account] = /^system:serviceaccount:([^:/]+):([^:/]+)$/.exec(payload.sub ?? "") ?? [];
  if (namespace === undefined || account === undefined || !agrees(payload, namespace, account)) return null;
  const own = namespaces === undefined ? unmapped(namespace) : ownValue(namespaces, namespace);
  if (own === null || parseWorkload(`${own}/${account}`) === null) return null;
  return { workload: `${own}/${account}`, proof: `kubernetes/${name} ${namespace}/${account}` };
}

function unmapped(namespace: string): string | null {
  return namespace === SYSTEM_NAMESPACE ? null : namespace;
}

function agrees(payload: JWTPayload, namespace: string, account: string): boolean {
  const told = payload["kubernetes.io"];
  if (told === undefined) return true;
  const shape = z.looseObject({ namespace: z.string(), serviceaccount: z.looseObject({ name: z.string() }) });
  const { data } = shape.safeParse(told);
  return data?.namespace === namespace && data.serviceaccount.name === account;
}

function ownValue(record: Readonly<Record<string, string>>, key: string): string | null {
  return Object.hasOwn(record, key) ? (record[key] ?? null) : null;
}

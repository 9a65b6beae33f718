/**
 * Consul's config entries for HTTP services, in the form of its custom
 * resources, as far as they can be translated without a change of meaning.
 * What cannot is refused here, at its field.
 *
 * @module
 */
import { z } from "zod";
import { headerName, notYet, refused, serviceName, unique } from "./fields.ts";
import { goDuration } from "./istio-fields.ts";
import { canonicalPath, canonicalPathMatch, UNREACHABLE } from "../path-match.ts";
import { label } from "../resource.ts";

const noPartition = refused("there are no partitions: leave it out");
const noPeer = refused("there are no peers: leave it out");
const noDatacenter = refused("there is one datacenter: leave it out");
const noSamenessGroup = refused("there are no sameness groups: leave it out");

const subsetName = label;

const headerEdit = z.strictObject({
  add: z.record(headerName, z.string()).default({}),
  set: z.record(headerName, z.string()).default({}),
  remove: z.array(headerName).default([]),
});

const VALUE_KINDS = ["present", "exact", "prefix", "suffix", "contains", "regex"] as const;

const valueFields = {
  present: z.literal(true, { error: "must be true; to ask for absence write invert" }).optional(),
  exact: z.string().max(1024).optional(),
  prefix: z.string().max(1024).optional(),
  suffix: z.string().max(1024).optional(),
  contains: z.string().max(1024).optional(),
  regex: z.string().max(256).optional(),
  ignoreCase: z.boolean().default(false),
};

function countOf(match: Readonly<Record<string, unknown>>): number {
  return VALUE_KINDS.filter((kind) => match[kind] !== undefined).length;
}

const ONE_KIND = `takes exactly one of ${VALUE_KINDS.join(", ")}`;

const headerMatch = z
  .strictObject({ name: headerName, invert: z.boolean().default(false), ...valueFields })
  .refine((match) => countOf(match) === 1, ONE_KIND);

const queryMatch = z
  .strictObject({ name: z.string().min(1).max(256), ...valueFields })
  .refine((match) => countOf(match) === 1, ONE_KIND);

const methods = z.array(z.string().regex(/^[A-Z]+$/, "write methods in capitals")).max(16);

const pathFields = {
  pathExact: z.string().max(1024).optional(),
  pathPrefix: z.string().max(1024).optional(),
  pathRegex: z.string().max(256).optional(),
};

function hasOnePath({ pathExact, pathPrefix, pathRegex }: Readonly<Record<string, unknown>>): boolean {
  return [pathExact, pathPrefix, pathRegex].filter((path) => path !== undefined).length <= 1;
}

const ONE_PATH = "takes one of pathExact, pathPrefix and pathRegex";

const route = z
  .strictObject({
    match: z
      .strictObject({
        http: z
          .strictObject({
            ...pathFields,
            caseInsensitive: z.boolean().default(false),
            header: z.array(headerMatch).max(16).default([]),
            queryParam: z.array(queryMatch).max(16).default([]),
            methods: methods.default([]),
          })
          .refine(hasOnePath, ONE_PATH)
          .optional(),
      })
      .optional(),
    destination: z
      .strictObject({
        service: serviceName.optional(),
        serviceSubset: subsetName.optional(),
        namespace: label.optional(),
        partition: noPartition,
        prefixRewrite: z.string().max(1024).optional(),
        requestTimeout: goDuration.optional(),
        idleTimeout: notYet("idleTimeout of a route; write a TrafficPolicy with timeouts.idle"),
        numRetries: z.int().min(0).max(10).optional(),
        retryOnConnectFailure: z.boolean().default(false),
        retryOn: z.array(z.string()).max(16).default([]),
        retryOnStatusCodes: z.array(z.int().min(400).max(599)).max(64).default([]),
        requestHeaders: headerEdit.optional(),
        responseHeaders: headerEdit.optional(),
      })
      .optional(),
  })
  .refine(
    ({ match, destination }) =>
      destination?.prefixRewrite === undefined ||
      match?.http?.pathExact !== undefined ||
      match?.http?.pathPrefix !== undefined,
    { path: ["destination", "prefixRewrite"], error: "needs pathExact or pathPrefix" },
  );

/** The first route that matches decides; without one the service itself answers. */
export const serviceRouterSpec = z.strictObject({ routes: z.array(route).max(256).default([]) });

const split = z.strictObject({
  weight: z.number().min(0).max(100).multipleOf(0.01, "is counted in hundredths"),
  service: serviceName.optional(),
  serviceSubset: subsetName.optional(),
  namespace: label.optional(),
  partition: noPartition,
  requestHeaders: headerEdit.optional(),
  responseHeaders: headerEdit.optional(),
});

/** Shares of one service's calls. */
export const serviceSplitterSpec = z.strictObject({
  splits: z
    .array(split)
    .min(1)
    .max(16)
    .refine((splits) => Math.round(splits.reduce((sum, { weight }) => sum + weight * 100, 0)) === 10_000, {
      error: "weights must sum up to 100",
    }),
});

/** `Service.Meta.version == v1 and Service.Meta.tier == gold`: what labels can say. */
const FILTER =
  /^\s*Service\.Meta\.[A-Za-z0-9_-]+\s*==\s*"?[A-Za-z0-9._-]+"?(\s+and\s+Service\.Meta\.[A-Za-z0-9_-]+\s*==\s*"?[A-Za-z0-9._-]+"?)*\s*$/;

const subset = z.strictObject({
  filter: z
    .string()
    .regex(
      FILTER,
      "not supported: filters but Service.Meta.KEY == VALUE, joined by and; metadata are labels here",
    ),
  onlyPassing: z.boolean().optional(),
});

const hashPolicy = z
  .strictObject({
    field: z.enum(["header", "cookie", "query_parameter"]).optional(),
    fieldValue: z.string().max(256).optional(),
    cookieConfig: z
      .strictObject({
        session: z.boolean().optional(),
        ttl: goDuration.optional(),
        path: z.string().max(1024).optional(),
      })
      .optional(),
    sourceIP: z.boolean().optional(),
    terminal: z.boolean().optional(),
  })
  .refine(({ field, sourceIP }) => (field === undefined) === (sourceIP === true), {
    error: "takes one of field and sourceIP",
  })
  .refine(({ field, fieldValue }) => (field === undefined) === (fieldValue === undefined), {
    path: ["fieldValue"],
    error: "goes with field, and only with it",
  });

const loadBalancer = z.strictObject({
  policy: z.enum(["random", "round_robin", "least_request", "ring_hash", "maglev"]).optional(),
  leastRequestConfig: z.strictObject({ choiceCount: z.int().min(2).max(100).optional() }).optional(),
  ringHashConfig: z
    .strictObject({
      minimumRingSize: z.int().min(1).optional(),
      maximumRingSize: z.int().min(1).optional(),
    })
    .optional(),
  hashPolicies: z.array(hashPolicy).max(8).default([]),
});

const standIn = {
  service: serviceName.optional(),
  serviceSubset: subsetName.optional(),
  namespace: label.optional(),
};

const failover = z
  .strictObject({
    ...standIn,
    targets: z
      .array(z.strictObject({ ...standIn, partition: noPartition, peer: noPeer, datacenter: noDatacenter }))
      .min(1)
      .max(8)
      .optional(),
    datacenters: noDatacenter,
    samenessGroup: noSamenessGroup,
    policy: z
      .strictObject({
        mode: z
          .enum(["", "sequential"], { error: "must be sequential: what stands in is tried in order" })
          .optional(),
        regions: notYet("regions"),
      })
      .optional(),
  })
  .refine(
    ({ targets, service, serviceSubset, namespace }) =>
      (targets === undefined) !== ((service ?? serviceSubset ?? namespace) === undefined),
    "takes either targets, or a service, a subset or a namespace",
  );

/** Which instances of a service answer. */
export const serviceResolverSpec = z.strictObject({
  defaultSubset: subsetName.optional(),
  subsets: z.record(subsetName, subset).default({}),
  redirect: z
    .strictObject({
      service: serviceName.optional(),
      serviceSubset: subsetName.optional(),
      namespace: label.optional(),
      partition: noPartition,
      peer: noPeer,
      datacenter: noDatacenter,
      samenessGroup: noSamenessGroup,
    })
    .optional(),
  /** By subset; `*` is for all without an entry of their own. */
  failover: z.record(z.union([z.literal("*"), subsetName]), failover).default({}),
  connectTimeout: goDuration.optional(),
  requestTimeout: goDuration.optional(),
  prioritizeByLocality: z.strictObject({ mode: z.enum(["", "none", "failover"]).default("") }).optional(),
  loadBalancer: loadBalancer.optional(),
});

/** In Consul 0 lets nothing through. */
const limit = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);

const upstream = z.strictObject({
  name: serviceName,
  namespace: label.optional(),
  partition: noPartition,
  peer: noPeer,
  protocol: z.unknown().optional(),
  connectTimeoutMs: z.int().min(1).max(86_400_000).optional(),
  limits: z
    .strictObject({
      maxConnections: limit.optional(),
      maxPendingRequests: z
        .int()
        .min(0)
        .max(2 ** 31 - 1)
        .optional(),
      maxConcurrentRequests: limit.optional(),
    })
    .optional(),
  passiveHealthCheck: z
    .strictObject({
      interval: goDuration.optional(),
      maxFailures: z.int().min(0).max(10_000).optional(),
      enforcingConsecutive5xx: z
        .union([z.literal(0), z.literal(100)], {
          error: "must be 0 or 100: whether an endpoint is taken out is not left to chance",
        })
        .optional(),
      maxEjectionPercent: z.int().min(0).max(100).optional(),
      baseEjectionTime: goDuration.optional(),
    })
    .optional(),
  meshGateway: z.unknown().optional(),
  balanceOutboundConnections: z.unknown().optional(),
  envoyListenerJSON: notYet("envoyListenerJSON"),
  envoyClusterJSON: notYet("envoyClusterJSON"),
});

const upstreamConfig = z.strictObject({
  defaults: notYet("defaults for whatever is called; write overrides, or a TrafficPolicy at each service"),
  overrides: z
    .array(upstream)
    .max(256)
    .default([])
    .superRefine(unique(({ namespace, name }) => `${namespace ?? ""}/${name}`, ["name"])),
});

/** Who a service is; its protocol is HTTP here whatever it says of HTTP/2 and gRPC. */
export const serviceDefaultsSpec = z.strictObject({
  protocol: z
    .enum(["http", "http2", "grpc"], { error: "must be http, http2 or grpc; tcp is not supported yet" })
    .default("http"),
  localRequestTimeoutMs: z.int().min(0).max(86_400_000).optional(),
  maxInboundConnections: z.literal(0, { error: "not supported yet: limits of connections" }).optional(),
  localConnectTimeoutMs: z.unknown().optional(),
  meshGateway: z.unknown().optional(),
  transparentProxy: z.unknown().optional(),
  balanceInboundConnections: z.unknown().optional(),
  mutualTLSMode: z
    .enum(["", "strict"], {
      error: "must be strict: write a PeerAuthentication to let calls pass without identity",
    })
    .optional(),
  rateLimits: notYet("rateLimits; write a RateLimitPolicy"),
  /** What it says of services that it calls. */
  upstreamConfig: upstreamConfig.optional(),
  externalSNI: notYet("externalSNI"),
  expose: notYet("expose"),
  destination: notYet("destination; write an Endpoint"),
  envoyExtensions: notYet("envoyExtensions"),
});

/** A name, or `*` alone. */
const wildName = z.union([z.literal("*"), serviceName], {
  error: "must be a name, or * alone: lower-case letters, digits and '-'",
});

const action = z.enum(["allow", "deny"]);

const permission = z.strictObject({
  action,
  http: z
    .strictObject({
      pathExact: z
        .string()
        .max(1024)
        .refine((text) => canonicalPath(text) !== null, UNREACHABLE)
        .optional(),
      pathPrefix: z
        .string()
        .max(1024)
        .refine((text) => canonicalPathMatch(`${text}*`) !== null, UNREACHABLE)
        .optional(),
      pathRegex: notYet("pathRegex in an intention"),
      methods: methods.default([]),
      header: z
        .array(
          headerMatch.refine(({ regex }) => regex === undefined, {
            path: ["regex"],
            error: "not supported yet",
          }),
        )
        .max(16)
        .default([]),
    })
    .refine(hasOnePath, ONE_PATH)
    .default({ methods: [], header: [] }),
  jwt: notYet("jwt"),
});

const source = z
  .strictObject({
    name: wildName,
    namespace: wildName.optional(),
    partition: noPartition,
    peer: noPeer,
    samenessGroup: noSamenessGroup,
    action: action.optional(),
    permissions: z.array(permission).min(1).max(256).optional(),
    type: z.enum(["consul"]).optional(),
    description: z.string().optional(),
    precedence: z.unknown().optional(),
    legacyID: z.unknown().optional(),
    legacyMeta: z.unknown().optional(),
    legacyCreateTime: z.unknown().optional(),
    legacyUpdateTime: z.unknown().optional(),
  })
  .refine(({ action, permissions }) => (action === undefined) !== (permissions === undefined), {
    path: ["action"],
    error: "takes one of action and permissions",
  })
  .refine(({ name, namespace }) => namespace !== "*" || name === "*", {
    path: ["name"],
    error: "must be * where the namespace is",
  });

/**
 * Who may call a service. A source's name is that of the caller's service
 * account; `*` without a namespace is everybody, proven or not.
 */
export const serviceIntentionsSpec = z.strictObject({
  destination: z.strictObject({
    name: wildName,
    namespace: refused("intentions are about their own namespace: write metadata.namespace"),
  }),
  sources: z
    .array(source)
    .min(1)
    .max(1000)
    .superRefine(unique(({ name, namespace }) => `${namespace ?? ""}/${name}`)),
  jwt: notYet("jwt"),
});

export type ServiceRouterSpec = z.output<typeof serviceRouterSpec>;
export type ServiceSplitterSpec = z.output<typeof serviceSplitterSpec>;
export type ServiceResolverSpec = z.output<typeof serviceResolverSpec>;
export type ServiceDefaultsSpec = z.output<typeof serviceDefaultsSpec>;
export type ServiceIntentionsSpec = z.output<typeof serviceIntentionsSpec>;
export type ConsulHeaderEdit = z.output<typeof headerEdit>;
export type ConsulValueMatch = z.output<typeof queryMatch> & { readonly invert?: boolean };

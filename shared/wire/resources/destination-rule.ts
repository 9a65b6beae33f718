/**
 * Istio's DestinationRule, as far as it can be translated without a change of
 * meaning. What cannot is refused here, at its field.
 *
 * @module
 */
import { z } from "zod";
import { headerName, labels, localityText, notYet, unique } from "./fields.ts";
import { exportTo, goDuration, istioPlace, preciseHost } from "./istio-fields.ts";

const count = z
  .int()
  .min(0)
  .max(2 ** 32 - 1);

const cookie = z.strictObject({
  name: z.string().min(1).max(256),
  path: z.string().max(1024).optional(),
  ttl: goDuration.optional(),
  attributes: notYet("attributes"),
});

const consistentHash = z
  .strictObject({
    httpHeaderName: headerName.optional(),
    httpCookie: cookie.optional(),
    useSourceIp: z.boolean().optional(),
    httpQueryParameterName: z.string().min(1).max(256).optional(),
    minimumRingSize: count.optional(),
    ringHash: z.strictObject({ minimumRingSize: count.optional() }).optional(),
    maglev: z.strictObject({ tableSize: count.optional() }).optional(),
  })
  .refine(
    ({ httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName }) =>
      [httpHeaderName, httpCookie, httpQueryParameterName].filter((key) => key !== undefined).length +
        Number(useSourceIp === true) ===
      1,
    "takes exactly one of httpHeaderName, httpCookie, useSourceIp and httpQueryParameterName",
  )
  .refine(({ ringHash, maglev }) => ringHash === undefined || maglev === undefined, {
    path: ["maglev"],
    error: "ringHash and maglev exclude each other",
  });

const warmup = z.strictObject({
  duration: goDuration,
  minimumPercent: z.number().min(0).max(100).optional(),
  aggression: z.number().min(1).max(100).optional(),
});

const region = localityText.refine((place) => !place.includes("/"), "write a region, without a zone");

/** The one order of labels that is also the mesh's: the same zone, then the same region, then all others. */
const PRIORITY = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"];

const localityLbSetting = z
  .strictObject({
    enabled: z.boolean().nullable().optional(),
    distribute: z
      .array(z.strictObject({ from: istioPlace, to: z.record(istioPlace, z.int().min(1).max(100)) }))
      .max(64)
      .optional(),
    failover: z
      .array(z.strictObject({ from: region, to: region }))
      .max(64)
      .optional(),
    failoverPriority: z
      .array(z.string())
      .refine((labels) => labels.length === 2 && labels.every((label, index) => label === PRIORITY[index]), {
        error: `must be ${PRIORITY.join(", ")}: endpoints are told apart by region and zone alone`,
      })
      .optional(),
  })
  .refine(
    ({ distribute, failover, failoverPriority }) =>
      [distribute, failover, failoverPriority].filter((field) => field !== undefined).length <= 1,
    "takes one of distribute, failover and failoverPriority",
  );

const loadBalancer = z
  .strictObject({
    simple: z
      .enum(["UNSPECIFIED", "LEAST_CONN", "LEAST_REQUEST", "RANDOM", "ROUND_ROBIN"], {
        error: "must be LEAST_REQUEST, RANDOM or ROUND_ROBIN; PASSTHROUGH has no address to pass to here",
      })
      .optional(),
    consistentHash: consistentHash.optional(),
    localityLbSetting: localityLbSetting.optional(),
    warmupDurationSecs: goDuration.optional(),
    warmup: warmup.optional(),
  })
  .refine(({ simple, consistentHash }) => simple === undefined || consistentHash === undefined, {
    path: ["consistentHash"],
    error: "simple and consistentHash exclude each other",
  });

const connectionPool = z.strictObject({
  tcp: z
    .strictObject({
      maxConnections: count.optional(),
      connectTimeout: goDuration.optional(),
      tcpKeepalive: z.unknown().optional(),
      maxConnectionDuration: goDuration.optional(),
      idleTimeout: goDuration.optional(),
    })
    .optional(),
  http: z
    .strictObject({
      http1MaxPendingRequests: count.optional(),
      http2MaxRequests: count.optional(),
      maxRequestsPerConnection: count.optional(),
      maxRetries: z.int().min(0).max(10_000).optional(),
      idleTimeout: goDuration.optional(),
      h2UpgradePolicy: z.enum(["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"]).optional(),
      useClientProtocol: z.boolean().optional(),
      maxConcurrentStreams: count.optional(),
    })
    .optional(),
});

const outlierDetection = z.strictObject({
  consecutive5xxErrors: z.int().min(0).max(10_000).optional(),
  consecutiveGatewayErrors: z.int().min(0).max(10_000).optional(),
  consecutiveErrors: z.int().min(0).max(10_000).optional(),
  consecutiveLocalOriginFailures: z.int().min(0).max(10_000).optional(),
  splitExternalLocalOriginErrors: z.boolean().optional(),
  interval: goDuration.optional(),
  baseEjectionTime: goDuration.optional(),
  maxEjectionPercent: z.int().min(0).max(100).optional(),
  minHealthPercent: z.int().min(0).max(100).optional(),
});

const tls = z.strictObject({
  mode: z
    .enum(["DISABLE", "SIMPLE", "ISTIO_MUTUAL"], {
      error: "must be DISABLE, SIMPLE or ISTIO_MUTUAL; a certificate of one's own is not supported yet",
    })
    .default("DISABLE"),
  sni: z.string().optional(),
  insecureSkipVerify: z
    .literal(false, { error: "not supported: certificates are always verified" })
    .optional(),
  caCertificates: notYet("caCertificates; the platform's roots are trusted"),
  credentialName: notYet("credentialName"),
  clientCertificate: notYet("clientCertificate"),
  privateKey: notYet("privateKey"),
  subjectAltNames: notYet("subjectAltNames; the address' host is verified"),
  caCrl: notYet("caCrl"),
});

const trafficPolicy = z.strictObject({
  loadBalancer: loadBalancer.optional(),
  connectionPool: connectionPool.optional(),
  outlierDetection: outlierDetection.optional(),
  tls: tls.optional(),
  portLevelSettings: notYet("portLevelSettings"),
  tunnel: notYet("tunnel"),
  proxyProtocol: notYet("proxyProtocol"),
  retryBudget: z
    .strictObject({
      percent: z.number().min(0).max(100).optional(),
      minRetryConcurrency: z.int().min(0).max(10_000).optional(),
      budgetInterval: goDuration.optional(),
    })
    .optional(),
});

const subset = z.strictObject({
  name: z.string().min(1).max(63),
  labels: labels.default({}),
  trafficPolicy: trafficPolicy.optional(),
});

/** How callers reach a host, and the named parts of it. */
export const destinationRuleSpec = z.strictObject({
  host: preciseHost,
  trafficPolicy: trafficPolicy.optional(),
  subsets: z
    .array(subset)
    .max(64)
    .default([])
    .superRefine(unique(({ name }) => name, ["name"])),
  exportTo,
  workloadSelector: notYet("workloadSelector; the policy holds for every caller"),
});

export type DestinationRuleSpec = z.output<typeof destinationRuleSpec>;
export type DestinationTraffic = NonNullable<DestinationRuleSpec["trafficPolicy"]>;

/**
 * The configuration that the benchmark applies: everything on.
 *
 * @module
 */

type Document = Readonly<Record<string, unknown>>;

const GATEWAY_API = "gateway.networking.k8s.io/v1";
const SELVEDGE = "selvedge.dev/v1";

/** The host of the benchmark's Gateway. */
export const GATEWAY_HOST = "bench.localhost";

/** The routes of the Gateway: far more than the one that is used. */
export const ROUTES = 1000;

/** One service at `origin`, reached through a Gateway with 1,000 routes, under policies and a rate limit. */
export function edgeDocuments(origin: string): Document[] {
  const route = (n: number): Document => ({
    apiVersion: GATEWAY_API,
    kind: "HTTPRoute",
    metadata: { name: `route-${n}`, namespace: "bench" },
    spec: {
      parentRefs: [{ name: "bench" }],
      hostnames: [GATEWAY_HOST],
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: `/area-${n}/items` }, method: "GET" }],
          backendRefs: [{ name: "origin", port: 80 }],
        },
      ],
    },
  });
  return [
    service("origin"),
    endpoint("origin", origin, { serviceAccount: "origin" }),
    {
      apiVersion: GATEWAY_API,
      kind: "Gateway",
      metadata: { name: "bench", namespace: "bench" },
      spec: { gatewayClassName: "selvedge", listeners: [{ name: "http", port: 80, protocol: "HTTP" }] },
    },
    ...Array.from({ length: ROUTES }, (_, n) => route(n)),
    ...policies("origin"),
  ];
}

/** A caller and a callee that joined the mesh with the library. */
export function libraryDocuments(): Document[] {
  return [
    service("callee"),
    endpoint("callee", "binding:CALLEE", { serviceAccount: "callee", joined: true }),
    service("caller"),
    endpoint("caller", "binding:CALLER", { serviceAccount: "caller", joined: true }),
    ...policies("callee"),
    {
      apiVersion: "security.istio.io/v1",
      kind: "PeerAuthentication",
      metadata: { name: "caller", namespace: "bench" },
      // The load generator is nobody: the caller's own door must be open for it.
      spec: { selector: { matchLabels: { app: "caller" } }, mtls: { mode: "PERMISSIVE" } },
    },
  ];
}

/** `count` services at the same origin, each with its own name. */
export function manyServices(origin: string, count: number): Document[] {
  return Array.from({ length: count }, (_, n) => [
    service(`many-${n}`),
    endpoint(`many-${n}`, origin, { serviceAccount: "many" }),
  ]).flat();
}

function service(name: string): Document {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "bench" },
    spec: { selector: { app: name }, ports: [{ port: 80 }] },
  };
}

function endpoint(name: string, address: string, spec: Document): Document {
  return {
    apiVersion: SELVEDGE,
    kind: "Endpoint",
    metadata: { name, namespace: "bench", labels: { app: name, version: "v1" } },
    spec: { address, ...spec },
  };
}

function policies(name: string): Document[] {
  const targetRefs = [{ group: "", kind: "Service", name }];
  const policy = (policyName: string, spec: Document): Document => ({
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: `${name}-${policyName}`, namespace: "bench" },
    spec: { targetRefs, ...spec },
  });
  return [
    policy("deny-admin", { action: "DENY", rules: [{ to: [{ operation: { paths: ["/admin*"] } }] }] }),
    policy("allow-callers", {
      action: "ALLOW",
      rules: [
        { from: [{ source: { namespaces: ["elsewhere"] } }] },
        {
          from: [{ source: { principals: ["cluster.local/ns/bench/sa/*"] } }],
          to: [{ operation: { methods: ["GET", "POST"] } }],
        },
      ],
    }),
    {
      apiVersion: SELVEDGE,
      kind: "RateLimitPolicy",
      metadata: { name, namespace: "bench" },
      spec: {
        targetRefs,
        limits: [
          { mode: "Local", requests: 1_000_000, per: "1s", burst: 1_000_000, key: [{ type: "Caller" }] },
        ],
      },
    },
  ];
}

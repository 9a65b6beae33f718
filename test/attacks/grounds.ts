/** The configuration of the fortress. */
import type { VerificationKey } from "../../shared/engine/snapshot.ts";
import { DOOR, TOLD, TOLL } from "./attack.ts";

const SECURITY = "security.istio.io/v1";
const FRIENDS = ["cluster.local/ns/fort/sa/friend", "cluster.local/ns/fort/sa/former"];

/** Fields that only the mesh may say anything in. */
const TELLING = [
  "x-forwarded-client-cert",
  "x-forwarded-for",
  "x-real-ip",
  "client-cert",
  "x-selvedge-peer-of",
];

/** Documents of everything that is attacked; `issuer` signs the tokens of end users. */
export function documentsOf(issuer: VerificationKey): unknown[] {
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "fort" } },
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "mine" } },
    ...service("door", "binding:DOOR_WORKLOAD"),
    ...service("vault", "binding:VAULT_WORKLOAD"),
    ...service("users", "binding:VAULT_WORKLOAD"),
    ...service("roles", "binding:VAULT_WORKLOAD"),
    ...service("safe", "binding:VAULT_WORKLOAD"),
    ...service("ring", "binding:RING"),
    ...service("keep", "binding:KEEP", { joined: true }),
    ...service("toll", "binding:VAULT_WORKLOAD"),
    ...service("detour", "binding:DOOR_WORKLOAD"),
    named("gateway.networking.k8s.io/v1", "Gateway", "door", {
      gatewayClassName: "selvedge",
      listeners: [{ name: "http", port: 80, protocol: "HTTP", hostname: DOOR }],
    }),
    named("gateway.networking.k8s.io/v1", "HTTPRoute", "door", {
      parentRefs: [{ name: "door" }],
      hostnames: [DOOR],
      rules: [{ backendRefs: [{ name: "door", port: 80 }] }],
    }),
    named("gateway.networking.k8s.io/v1", "Gateway", "toll", {
      gatewayClassName: "selvedge",
      listeners: [{ name: "http", port: 80, protocol: "HTTP", hostname: TOLL }],
    }),
    named("gateway.networking.k8s.io/v1", "HTTPRoute", "toll", {
      parentRefs: [{ name: "toll" }],
      hostnames: [TOLL],
      rules: [
        { backendRefs: [{ name: "toll", port: 80 }] },
        {
          matches: [{ headers: [{ name: "x-forwarded-proto", value: "https" }] }],
          backendRefs: [{ name: "toll", port: 80 }],
        },
      ],
    }),
    named(SECURITY, "AuthorizationPolicy", "toll-of-mesh", {
      targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "toll" }],
      action: "ALLOW",
      rules: TELLING.map((name) => ({ when: [{ key: `request.headers[${name}]`, values: [TOLD] }] })),
    }),
    named("networking.istio.io/v1", "VirtualService", "detour", {
      hosts: ["detour"],
      http: [
        {
          match: [{ uri: { prefix: "/api" } }],
          rewrite: { uri: "/v2/" },
          route: [{ destination: { host: "detour" } }],
        },
        {
          match: [{ uri: { prefix: "/root" } }],
          rewrite: { uri: "/" },
          route: [{ destination: { host: "detour" } }],
        },
      ],
    }),
    policy("detour", "DENY", [{ to: [{ operation: { paths: ["/admin", "/admin/*"] } }] }]),
    policy("door", "DENY", [{ to: [{ operation: { paths: ["/admin", "/admin/*"] } }] }]),
    policy("keep", "DENY", [{ to: [{ operation: { paths: ["/admin", "/admin/*"] } }] }]),
    policy("keep", "ALLOW", [
      { from: [{ source: { principals: FRIENDS } }] },
      { when: [{ key: "request.headers[x-forwarded-client-cert]", values: [TOLD] }] },
    ]),
    policy("vault", "ALLOW", [{ from: [{ source: { principals: FRIENDS } }] }]),
    policy("safe", "ALLOW", [{ from: [{ source: { principals: FRIENDS } }] }]),
    named(SECURITY, "PeerAuthentication", "safe", {
      selector: { matchLabels: { app: "safe" } },
      tokens: { binding: "Certificate" },
    }),
    policy("roles", "DENY", [{ when: [{ key: "request.headers[x-role]", values: ["banned"] }] }]),
    policy("users", "ALLOW", [
      { from: [{ source: { requestPrincipals: ["https://issuer.example/root"] } }] },
    ]),
    ...["users", "ring", "detour"].map((app) =>
      named(SECURITY, "PeerAuthentication", app, {
        selector: { matchLabels: { app } },
        mtls: { mode: "PERMISSIVE" },
      }),
    ),
    ...["vault", "keep"].map((app) =>
      named(SECURITY, "PeerAuthentication", app, {
        selector: { matchLabels: { app } },
        tokens: { once: [{ paths: ["/once", "/once/*"] }] },
      }),
    ),
    named(SECURITY, "RequestAuthentication", "users", {
      selector: { matchLabels: { app: "users" } },
      jwtRules: [
        {
          issuer: "https://issuer.example",
          audiences: ["users"],
          jwks: JSON.stringify({ keys: [issuer] }),
          fromHeaders: [{ name: "x-user-token" }],
        },
      ],
    }),
  ];
}

function service(name: string, address: string, extra: object = {}): unknown[] {
  return [
    named("v1", "Service", name, { selector: { app: name }, ports: [{ port: 80 }] }),
    {
      ...named("selvedge.dev/v1", "Endpoint", name, { address, serviceAccount: name, ...extra }),
      metadata: { name, namespace: "fort", labels: { app: name } },
    },
  ];
}

function policy(app: string, action: string, rules: readonly unknown[]): unknown {
  const spec = { selector: { matchLabels: { app } }, action, rules };
  return named(SECURITY, "AuthorizationPolicy", `${app}-${action.toLowerCase()}`, spec);
}

function named(apiVersion: string, kind: string, name: string, spec: unknown) {
  return { apiVersion, kind, metadata: { name, namespace: "fort" }, spec };
}

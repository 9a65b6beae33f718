import { expect, test } from "vitest";
import { warnings } from "../../shared/compile/warnings.ts";
import type { ResourceRef } from "../../shared/wire/resource.ts";
import { parseYaml, worldOf } from "./worlds.ts";

const BASE = `
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}
---
{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: web, labels: {app: web}}, spec: {address: "binding:WEB"}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: gw}, spec: {gatewayClassName: x, listeners: [
  {name: a, port: 80, protocol: HTTP, hostname: a.test},
  {name: b, port: 81, protocol: HTTP, hostname: b.test, allowedRoutes: {namespaces: {from: None}}}]}}
---
{apiVersion: selvedge.dev/v1, kind: TrafficPolicy, metadata: {name: first}, spec: {targetRefs: [{kind: Service, name: web}]}}
`;

/** The warnings about the documents, applied after the base. */
function warningsOf(yaml: string): string[] {
  const refs = parseYaml(yaml).map(({ apiVersion, kind, metadata: { namespace, name } }): ResourceRef => ({
    apiVersion,
    kind,
    namespace,
    name,
  }));
  return warnings(worldOf(`${BASE}\n---\n${yaml}`), refs);
}

function route(spec: string): string {
  return `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r}, spec: {${spec}}}`;
}

function policy(kind: string, spec: string, namespace = "shop"): string {
  const isIstios = kind === "AuthorizationPolicy" || kind.endsWith("Authentication");
  const group = isIstios ? "security.istio.io" : "selvedge.dev";
  return `{apiVersion: ${group}/v1, kind: ${kind}, metadata: {name: p, namespace: ${namespace}}, spec: {${spec}}}`;
}

const SERVICE_WEB = "parentRefs: [{kind: Service, group: '', name: web}]";

test.each([
  ["{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {selector: {app: web}}}", []],
  [
    "{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {selector: {app: x, tier: y}}}",
    ["Service shop/x: no endpoint has the labels app=x, tier=y: calls to it fail"],
  ],
  [
    "{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {}}",
    ["Service shop/x: has no selector and no endpoint names or registers with it: calls to it fail"],
  ],
  [
    "{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: x}, spec: {address: 'binding:X'}}",
    ["Endpoint shop/x: belongs to no service: no selector matches its labels and spec.services is empty"],
  ],
  [
    "{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: x}, spec: {address: 'binding:X', services: [web, none]}}",
    ["Endpoint shop/x: spec.services names Service none, which does not exist"],
  ],
  [route(`${SERVICE_WEB}, rules: [{backendRefs: [{name: web, port: 80}]}]`), []],
  [route("parentRefs: []"), ["HTTPRoute shop/r: has no parentRefs: it routes nothing"]],
  [
    route(
      "parentRefs: [{name: none}, {kind: Service, group: '', name: none}, {kind: Service, group: '', name: web, port: 9}]",
    ),
    [
      "HTTPRoute shop/r: its parent Gateway shop/none does not exist",
      "HTTPRoute shop/r: its parent Service shop/none does not exist",
      "HTTPRoute shop/r: its parent Service shop/web has no port 9: it routes nothing there",
    ],
  ],
  [route("parentRefs: [{name: gw}], hostnames: [a.test]"), []],
  [
    "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: x}, spec: {gatewayClassName: x, listeners: [{name: a, port: 80, protocol: HTTP}]}}",
    [],
  ],
  [
    "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: x}, spec: {gatewayClassName: x, listeners: [{name: a, port: 80, protocol: HTTP}, {name: b, port: 81, protocol: UDP}, {name: c, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}]}}",
    [
      "Gateway shop/x: listener b: UDP is not carried: use HTTP, HTTPS, TLS or TCP",
      "Gateway shop/x: listener c: Secret cert does not exist",
    ],
  ],
  [
    "{apiVersion: gateway.networking.k8s.io/v1, kind: ListenerSet, metadata: {name: x}, spec: {parentRef: {name: gw}, listeners: [{name: a, port: 80, protocol: HTTP}]}}",
    [
      "ListenerSet shop/x: Gateway shop/gw does not allow ListenerSets of this namespace (spec.allowedListeners)",
    ],
  ],
  [
    "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: x}, spec: {addressType: IPv4}}",
    [
      "EndpointSlice shop/x: declares no endpoints: it needs the label kubernetes.io/service-name, a TCP port and addresses",
    ],
  ],
  [
    route("parentRefs: [{name: gw}], hostnames: [b.test]"),
    [
      "HTTPRoute shop/r: no listener of Gateway shop/gw takes it: listener a serves none of the route's hostnames; " +
        "listener b does not allow routes from this namespace (allowedRoutes.namespaces)",
    ],
  ],
  [
    route("parentRefs: [{name: gw, sectionName: b, port: 80}]"),
    [
      "HTTPRoute shop/r: no listener of Gateway shop/gw takes it: listener a has another name; listener b has another port",
    ],
  ],
  [
    route(
      `${SERVICE_WEB}, rules: [{backendRefs: [{name: none, port: 80}, {name: none, port: 80}, {name: web, port: 81}, {name: web, kind: Other, port: 80}]}]`,
    ),
    [
      "HTTPRoute shop/r: its backend Service shop/none does not exist: its share of requests is answered with 500",
      "HTTPRoute shop/r: its backend Service shop/web has no port 81: its share of requests is answered with 500",
      "HTTPRoute shop/r: its backend Other shop/web is no Service: its share of requests is answered with 500",
    ],
  ],
  [
    route("parentRefs: [{name: gw}], rules: [{backendRefs: [{name: web, namespace: far, port: 80}]}]"),
    [
      "HTTPRoute shop/r: at a Gateway it may not use Service far/web of another namespace without a ReferenceGrant there: its share is answered with 500",
    ],
  ],
  [policy("AuthorizationPolicy", ""), []],
  [policy("AuthorizationPolicy", "selector: {matchLabels: {app: web}}"), []],
  [policy("AuthorizationPolicy", "selector: {matchLabels: {app: web}}", "selvedge-system"), []],
  [
    policy("AuthorizationPolicy", "selector: {matchLabels: {app: wep}}"),
    ["AuthorizationPolicy shop/p: its selector matches no endpoint: it protects nothing"],
  ],
  [
    policy(
      "AuthorizationPolicy",
      "targetRefs: [{kind: Service, name: none}, {kind: Gateway, group: gateway.networking.k8s.io, name: none}, {kind: Service, name: web}]",
    ),
    [
      "AuthorizationPolicy shop/p: its target Service none does not exist",
      "AuthorizationPolicy shop/p: its target Gateway none does not exist",
    ],
  ],
  [
    policy("AuthorizationPolicy", "targetRefs: [{kind: Endpoint, group: selvedge.dev, name: none}]"),
    ["AuthorizationPolicy shop/p: its target Endpoint none does not exist"],
  ],
  [
    policy(
      "AuthorizationPolicy",
      "rules: [{to: [{operation: {ports: [80, 8080]}}], when: [{key: destination.port, notValues: ['8443', '8080']}]}]",
    ),
    [
      "AuthorizationPolicy shop/p: no Service there has port 8080: ports are those of Services, not the targetPort behind them",
      "AuthorizationPolicy shop/p: no Service there has port 8443: ports are those of Services, not the targetPort behind them",
    ],
  ],
  [
    policy("AuthorizationPolicy", "action: CUSTOM, provider: {name: opa}, rules: [{}]"),
    [
      "AuthorizationPolicy shop/p: there is no AuthorizationProvider opa in selvedge-system: calls that a rule matches are denied",
    ],
  ],
  [
    policy("AuthorizationProvider", "address: 'binding:OPA'"),
    ["AuthorizationProvider shop/p: is not found: providers stand in selvedge-system"],
  ],
  [
    policy("RequestAuthentication", "selector: {matchLabels: {app: wep}}"),
    ["RequestAuthentication shop/p: its selector matches no endpoint: it protects nothing"],
  ],
  [
    policy("RateLimitPolicy", "targetRefs: [{kind: Service, name: none}], limits: [{requests: 1}]"),
    ["RateLimitPolicy shop/p: its target Service none does not exist"],
  ],
  [
    policy("TrafficPolicy", "targetRefs: [{kind: Service, name: none}, {kind: Service, name: web}]"),
    [
      "TrafficPolicy shop/p: its target Service none does not exist",
      "TrafficPolicy shop/p: the older TrafficPolicy first decides for Service web",
    ],
  ],
  [
    policy("TrafficPolicy", "targetRefs: [{kind: HTTPRoute, group: gateway.networking.k8s.io, name: none}]"),
    ["TrafficPolicy shop/p: its target HTTPRoute none does not exist"],
  ],
  [
    policy(
      "TrafficPolicy",
      `targetRefs: [
        {kind: Gateway, group: gateway.networking.k8s.io, name: gw},
        {kind: Gateway, group: gateway.networking.k8s.io, name: gw, sectionName: a},
        {kind: Gateway, group: gateway.networking.k8s.io, name: gw, sectionName: c}]`,
    ),
    ["TrafficPolicy shop/p: its target Gateway gw/c does not exist"],
  ],
  [
    `{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {selector: {app: web}}}
---
${policy(
  "TrafficPolicy",
  "targetRefs: [{kind: Service, name: x}], subsets: [{name: v1, labels: {app: web}}, {name: v2, labels: {version: v2}}]",
)}`,
    ["TrafficPolicy shop/p: its subset v2 has no endpoint of Service x"],
  ],
  [
    `{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {selector: {app: web}}}
---
{apiVersion: v1, kind: Service, metadata: {name: y}, spec: {selector: {app: web}}}
---
${policy(
  "TrafficPolicy",
  `targetRefs: [{kind: Service, name: x}], failover: [{service: y}, {service: z}, {service: y, namespace: other}],
  subsets: [{name: v1, labels: {app: none}, failover: [{service: y, subset: v2}, {service: x, subset: v1}]}]`,
)}`,
    [
      "TrafficPolicy shop/p: its subset v1 has no endpoint of Service x",
      "TrafficPolicy shop/p: its failover target Service shop/z does not exist: it is passed over",
      "TrafficPolicy shop/p: its failover target Service other/y does not exist: it is passed over",
      "TrafficPolicy shop/p: its failover target Service shop/y has no subset v2: it is passed over",
    ],
  ],
  [
    policy("PeerAuthentication", "selector: {matchLabels: {app: web}}", "selvedge-system"),
    [
      "PeerAuthentication selvedge-system/p: a selector in selvedge-system selects nothing elsewhere: leave it out or move the policy",
    ],
  ],
  ["{apiVersion: v1, kind: Namespace, metadata: {name: x}}", []],
])("%s", (yaml, expected) => {
  expect(warningsOf(yaml)).toEqual(expected);
});

test("nothing is told about a resource that is gone", () => {
  const refs = [
    "Service",
    "Endpoint",
    "HTTPRoute",
    "AuthorizationPolicy",
    "TrafficPolicy",
    "PeerAuthentication",
    "Other",
  ].map((kind): ResourceRef => ({ apiVersion: "", kind, namespace: "none", name: "none" }));
  expect(warnings(worldOf(BASE), refs)).toEqual([]);
});

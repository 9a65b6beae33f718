import { describe, expect, test } from "vitest";
import { notesOf, problemsOf, specsOf } from "./translated.ts";

function document(kind: string, spec: string): string {
  return `{apiVersion: networking.istio.io/v1beta1, kind: ${kind}, metadata: {name: a}, spec: ${spec}}`;
}

function policyOf(spec: string): unknown {
  return specsOf(document("DestinationRule", spec))["TrafficPolicy destinationrule.a"];
}

describe("DestinationRule", () => {
  const targetRefs = [{ group: "", kind: "Service", name: "web" }];

  test.each<[traffic: string, policy: object]>([
    ["{}", {}],
    ["{loadBalancer: {simple: ROUND_ROBIN}}", { loadBalancer: { type: "RoundRobin" } }],
    ["{loadBalancer: {simple: LEAST_CONN}}", { loadBalancer: { type: "LeastRequest" } }],
    ["{loadBalancer: {simple: RANDOM}}", { loadBalancer: { type: "Random" } }],
    [
      "{loadBalancer: {consistentHash: {httpHeaderName: x-user}}}",
      { loadBalancer: { type: "RingHash", hashKey: [{ type: "Header", name: "x-user" }] } },
    ],
    [
      "{loadBalancer: {consistentHash: {httpCookie: {name: c, path: /, ttl: 0s}, ringHash: {minimumRingSize: 2048}}}}",
      {
        loadBalancer: {
          type: "RingHash",
          hashKey: [{ type: "Cookie", name: "c", path: "/", ttl: "0s" }],
          minimumRingSize: 2048,
        },
      },
    ],
    [
      "{loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 251}}}}",
      { loadBalancer: { type: "Maglev", hashKey: [{ type: "SourceIP" }], tableSize: 251 } },
    ],
    [
      "{loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 90s, aggression: 2}}}",
      { loadBalancer: { type: "RoundRobin" }, slowStart: { window: "1m30s", aggression: 2 } },
    ],
    [
      "{loadBalancer: {simple: LEAST_REQUEST, warmup: {duration: 1m, minimumPercent: 5}}}",
      { loadBalancer: { type: "LeastRequest" }, slowStart: { window: "1m", minimumPercent: 5 } },
    ],
    ["{loadBalancer: {simple: RANDOM, warmup: {duration: 1m}}}", { loadBalancer: { type: "Random" } }],
    [
      "{loadBalancer: {consistentHash: {useSourceIp: true}, warmupDurationSecs: 1m}}",
      { loadBalancer: { type: "RingHash", hashKey: [{ type: "SourceIP" }] } },
    ],
    [
      "{connectionPool: {tcp: {connectTimeout: 30ms}, http: {maxRetries: 5}}}",
      { timeouts: { connect: "30ms" }, concurrency: { maxRetries: 5 } },
    ],
    // The sample of Istio's own page about circuit breaking.
    [
      "{connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1, maxRequestsPerConnection: 1}}}",
      { concurrency: { maxRequests: 1, maxPendingRequests: 1 } },
    ],
    ["{connectionPool: {tcp: {maxConnections: 100}}}", { concurrency: { maxRequests: 100 } }],
    [
      "{connectionPool: {http: {http2MaxRequests: 1000}}}",
      { concurrency: { maxRequests: 1000, maxPendingRequests: 0 } },
    ],
    [
      "{connectionPool: {tcp: {maxConnections: 10}, http: {http2MaxRequests: 9, http1MaxPendingRequests: 5}}}",
      { concurrency: { maxRequests: 9, maxPendingRequests: 0 } },
    ],
    [
      "{connectionPool: {tcp: {maxConnections: 10}, http: {http2MaxRequests: 10, http1MaxPendingRequests: 4294967295}}}",
      { concurrency: { maxRequests: 10, maxPendingRequests: 1_000_000 } },
    ],
    // Zero is not said, and what Istio itself has in place of it is no limit.
    [
      "{connectionPool: {tcp: {maxConnections: 4294967295}, http: {http2MaxRequests: 0, http1MaxPendingRequests: 0, maxRetries: 0}}}",
      {},
    ],
    [
      "{retryBudget: {percent: 25, minRetryConcurrency: 4, budgetInterval: 5s}, connectionPool: {http: {maxRetries: 3}}}",
      { retry: { budget: { percent: 25, minPerSecond: 4, window: "5s" } } },
    ],
    ["{outlierDetection: {}}", { outlierDetection: { successRate: false }, panicThreshold: 0 }],
    [
      `{outlierDetection: {consecutive5xxErrors: 0, consecutiveGatewayErrors: 3, interval: 5s, baseEjectionTime: 1m,
        minHealthPercent: 40, maxEjectionPercent: 100}}`,
      {
        outlierDetection: {
          consecutive5xxErrors: 0,
          consecutiveGatewayErrors: 3,
          interval: "5s",
          baseEjectionTime: "1m",
          maxEjectionPercent: 100,
          successRate: false,
        },
        panicThreshold: 40,
      },
    ],
    [
      "{outlierDetection: {splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 7, maxEjectionPercent: 0}}",
      {
        outlierDetection: {
          splitExternalLocalOriginErrors: true,
          consecutiveLocalOriginFailures: 7,
          successRate: false,
        },
        panicThreshold: 0,
      },
    ],
    [
      "{outlierDetection: {consecutiveErrors: 3, splitExternalLocalOriginErrors: false, consecutiveLocalOriginFailures: 7}}",
      { outlierDetection: { splitExternalLocalOriginErrors: false, successRate: false }, panicThreshold: 0 },
    ],
    ["{loadBalancer: {localityLbSetting: {enabled: true}}}", { locality: { mode: "Prefer" } }],
    [
      "{loadBalancer: {localityLbSetting: {enabled: false, failover: [{from: a, to: b}]}}}",
      { locality: { mode: "None" } },
    ],
    [
      "{loadBalancer: {localityLbSetting: {failover: [{from: us-east, to: eu-west}]}}}",
      { locality: { mode: "Prefer", failover: [{ from: "us-east", to: "eu-west" }] } },
    ],
    [
      "{loadBalancer: {localityLbSetting: {failoverPriority: [topology.kubernetes.io/region, topology.kubernetes.io/zone]}}}",
      { locality: { mode: "Prefer" } },
    ],
    [
      `{loadBalancer: {localityLbSetting: {distribute: [
        {from: us-west/zone1/*, to: {us-west/zone1/*: 80, us-west/zone2: 20}}, {from: us-east/*, to: {eu: 100}}, {from: '*', to: {'*': 100}}]}}}`,
      {
        locality: {
          mode: "Prefer",
          distribute: [
            { from: "us-west/zone1", to: { "us-west/zone1": 80, "us-west/zone2": 20 } },
            { from: "us-east", to: { eu: 100 } },
            { from: "*", to: { "*": 100 } },
          ],
        },
      },
    ],
  ])("%s", (traffic, policy) => {
    expect(policyOf(`{host: web, trafficPolicy: ${traffic}}`)).toEqual({ targetRefs, ...policy });
  });

  test("subsets have their own part of it", () => {
    expect(
      policyOf(`{host: web.shop.svc.cluster.local, trafficPolicy: {loadBalancer: {simple: RANDOM}}, subsets: [
        {name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}]}`),
    ).toEqual({
      targetRefs,
      loadBalancer: { type: "Random" },
      subsets: [
        { name: "v1", labels: { version: "v1" } },
        { name: "v2", labels: { version: "v2" }, loadBalancer: { type: "RoundRobin" } },
      ],
    });
  });

  test.each<[spec: string, problem: string]>([
    ["{host: web.other.svc.cluster.local}", "spec.host: is of another namespace"],
    ["{host: '*.test'}", "spec.host: may not have a wildcard"],
    ["{host: web, exportTo: ['.']}", "spec.exportTo: not supported"],
    ["{host: web, workloadSelector: {}}", "spec.workloadSelector: not supported"],
    ["{host: web, trafficPolicy: {portLevelSettings: []}}", "portLevelSettings: not supported"],
    ["{host: web, trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}}", "simple: must be"],
    ["{host: web, trafficPolicy: {loadBalancer: {consistentHash: {}}}}", "consistentHash: takes exactly one"],
    [
      "{host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {failoverPriority: [version]}}}}",
      "failoverPriority: must be topology.kubernetes.io/region, topology.kubernetes.io/zone",
    ],
    [
      "{host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {failover: [{from: a/b, to: c}]}}}}",
      "failover[0].from: write a region, without a zone",
    ],
    [
      "{host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: a/b/c, to: {a: 100}}]}}}}",
      "distribute[0].from: write region, region/zone or *",
    ],
    [
      "{host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {a: 99}}]}}}}",
      "locality.distribute[0].to: shares must sum to 100",
    ],
    [
      "{host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [], failover: []}}}}",
      "localityLbSetting: takes one of distribute, failover and failoverPriority",
    ],
    [
      "{host: web, trafficPolicy: {retryBudget: {budgetInterval: 1500ms}}}",
      "retry.budget.window: must be whole seconds from 1s to 60s",
    ],
    [
      "{host: web, trafficPolicy: {tls: {mode: MUTUAL}}}",
      "tls.mode: must be DISABLE, SIMPLE or ISTIO_MUTUAL",
    ],
    [
      "{host: web, trafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: true}}}",
      "insecureSkipVerify: not supported",
    ],
    ["{host: web, subsets: [{name: v1}]}", "subsets[0].labels: must name a label"],
  ])("%s is refused", (spec, problem) => {
    expect(problemsOf(document("DestinationRule", spec))).toEqual([expect.stringContaining(problem)]);
  });

  test.each<[traffic: string, fields: readonly string[]]>([
    [
      "{connectionPool: {tcp: {maxConnections: 1, idleTimeout: 1s}, http: {maxRequestsPerConnection: 1}}, tls: {mode: ISTIO_MUTUAL}}",
      ["connectionPool.tcp.idleTimeout", "connectionPool.http.maxRequestsPerConnection", "tls"],
    ],
    [
      "{connectionPool: {http: {http2MaxRequests: 9, http1MaxPendingRequests: 9}}}",
      ["connectionPool.http.http1MaxPendingRequests"],
    ],
    [
      "{connectionPool: {http: {http1MaxPendingRequests: 9}}}",
      ["connectionPool.http.http1MaxPendingRequests"],
    ],
    [
      "{retryBudget: {minRetryConcurrency: 1}, connectionPool: {http: {maxRetries: 1}}}",
      ["connectionPool.http.maxRetries", "retryBudget.minRetryConcurrency"],
    ],
    [
      "{outlierDetection: {interval: 1s, maxEjectionPercent: 50, consecutiveErrors: 1, consecutiveLocalOriginFailures: 1}}",
      ["outlierDetection.consecutiveErrors", "outlierDetection.consecutiveLocalOriginFailures"],
    ],
    ["{loadBalancer: {simple: RANDOM, warmup: {duration: 1s}}}", ["loadBalancer.warmup"]],
  ])("of %s is told what has no equivalent", (traffic, fields) => {
    const notes = notesOf(document("DestinationRule", `{host: web, trafficPolicy: ${traffic}}`));
    expect(notes.map((note) => note.split(": ")[1])).toEqual(
      fields.map((field) => `spec.trafficPolicy.${field}`),
    );
  });
});

describe("ServiceEntry and WorkloadEntry", () => {
  test("a host that DNS knows is its own endpoint", () => {
    const spec =
      "{hosts: [api.example.com], ports: [{number: 443, name: https, protocol: HTTPS}], resolution: DNS}";
    expect(specsOf(document("ServiceEntry", spec))).toEqual({
      "Service api-example-com": { ports: [{ name: "https", port: 443 }] },
      "Endpoint serviceentry.a.0": {
        address: "https://api.example.com:443",
        services: ["api-example-com"],
        external: true,
      },
    });
    expect(notesOf(document("ServiceEntry", spec))).toEqual([
      "ServiceEntry shop/a: spec.hosts: inside the mesh api.example.com is called api-example-com.shop: names with dots are the mesh's own",
    ]);
  });

  test("endpoints that are listed answer for every host", () => {
    const spec = `{hosts: [one, two], ports: [{number: 80, name: http, protocol: http, targetPort: 8080}], resolution: STATIC,
      location: MESH_INTERNAL, endpoints: [{address: 93.184.216.34, weight: 3, labels: {version: v1}, serviceAccount: db, locality: eu/a},
        {address: '2606:2800:220:1::1', ports: {http: 9090}}]}`;
    const ports = [{ name: "http", port: 80 }];
    expect(specsOf(document("ServiceEntry", spec))).toEqual({
      "Service one": { ports },
      "Service two": { ports },
      "Endpoint serviceentry.a.0": {
        address: "http://93.184.216.34:8080",
        weight: 3,
        serviceAccount: "db",
        locality: "eu/a",
        services: ["one", "two"],
      },
      "Endpoint serviceentry.a.1": { address: "http://[2606:2800:220:1::1]:9090", services: ["one", "two"] },
    });
  });

  test("a selector selects WorkloadEntries", () => {
    const entry = `{hosts: [one], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC,
      workloadSelector: {labels: {app: one}}}`;
    const workload = "{address: vm.example.com, ports: {http: 8080}, labels: {app: one}}";
    expect(
      specsOf(`${document("ServiceEntry", entry)}\n---\n${document("WorkloadEntry", workload)}`),
    ).toEqual({
      "Service one": { selector: { app: "one" }, ports: [{ name: "http", port: 80 }] },
      "Endpoint workloadentry.a": { address: "http://vm.example.com:8080" },
    });
  });

  test.each<[fields: string, locality: string | undefined, notes: readonly string[]]>([
    ["locality: ''", undefined, []],
    ["locality: us-west", "us-west", []],
    ["locality: us-west/zone1", "us-west/zone1", []],
    [
      "locality: us-west/zone1/rack7",
      "us-west/zone1",
      ["WorkloadEntry shop/a: spec.locality: the sub-zone has no effect: places are zones here"],
    ],
    ["labels: {istio-locality: us-west.zone1}", "us-west/zone1", []],
    ["labels: {istio-locality: us-west}, locality: us-east", "us-east", []],
  ])("a workload with %s is at %s", (fields, locality, notes) => {
    const yaml = document("WorkloadEntry", `{address: vm.test, ports: {http: 80}, ${fields}}`);
    expect(specsOf(yaml)).toEqual({
      "Endpoint workloadentry.a": {
        address: "http://vm.test:80",
        ...(locality === undefined ? {} : { locality }),
      },
    });
    expect(notesOf(yaml)).toEqual(notes);
  });

  const PORTS = "ports: [{number: 80, name: http, protocol: HTTP}]";

  test.each<[kind: string, spec: string, problem: string]>([
    ["ServiceEntry", `{hosts: ['*.test'], ${PORTS}}`, "spec.hosts[0]: may not have a wildcard"],
    ["ServiceEntry", `{hosts: [a], ${PORTS}, resolution: NONE}`, "spec.resolution: must be STATIC"],
    ["ServiceEntry", `{hosts: [a], ${PORTS}, resolution: STATIC}`, "spec.endpoints: resolution STATIC needs"],
    ["ServiceEntry", "{hosts: [a], ports: [{number: 1, name: a, protocol: TCP}]}", "protocol: must be HTTP"],
    [
      "ServiceEntry",
      "{hosts: [a], ports: [{number: 80, name: a, protocol: HTTP}, {number: 81, name: b, protocol: HTTP}]}",
      "spec.ports: one port at most",
    ],
    ["WorkloadEntry", "{address: vm.test}", "spec.ports: name exactly one port"],
    [
      "WorkloadEntry",
      "{address: vm.test, ports: {http: 80}, locality: a/b/c/d}",
      "spec.locality: write region/zone/subzone",
    ],
    ["WorkloadEntry", "{address: 'unix:///run/a'}", "spec.address: must be an IP address or a host name"],
  ])("%s %s is refused", (kind, spec, problem) => {
    expect(problemsOf(document(kind, spec))).toEqual([expect.stringContaining(problem)]);
  });
});

describe("Gateway", () => {
  test("each host of a server is a listener", () => {
    const spec = `{selector: {istio: ingressgateway}, servers: [
      {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*', './a.test']},
      {port: {number: 443, name: https, protocol: HTTPS}, hosts: [infra/*.b.test], tls: {mode: SIMPLE, credentialName: c}}]}`;
    expect(specsOf(document("Gateway", spec))).toEqual({
      "Gateway istiogateway.a": {
        gatewayClassName: "selvedge",
        infrastructure: { labels: { istio: "ingressgateway", app: "istio-ingressgateway" } },
        listeners: [
          { name: "http-0-0", port: 80, protocol: "HTTP", allowedRoutes: { namespaces: { from: "All" } } },
          {
            name: "http-0-1",
            hostname: "a.test",
            port: 80,
            protocol: "HTTP",
            allowedRoutes: { namespaces: { from: "Same" } },
          },
          {
            name: "https-1-0",
            hostname: "*.b.test",
            port: 443,
            protocol: "HTTPS",
            tls: { mode: "Terminate" },
            allowedRoutes: {
              namespaces: {
                from: "Selector",
                selector: { matchLabels: { "kubernetes.io/metadata.name": "infra" } },
              },
            },
          },
        ],
      },
    });
  });

  test("where callers show certificates of the mesh, nobody else goes through", () => {
    const spec = `{selector: {istio: egressgateway}, servers: [
      {port: {number: 80, name: http, protocol: HTTP}, hosts: [a.test]},
      {port: {number: 443, name: https, protocol: HTTPS}, hosts: ['*'], tls: {mode: ISTIO_MUTUAL}}]}`;
    expect(specsOf(document("Gateway", spec))).toEqual({
      "Gateway istiogateway.a": expect.anything(),
      "AuthorizationPolicy istiogateway.a": {
        targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "istiogateway.a" }],
        action: "DENY",
        rules: [{ from: [{ source: { notPrincipals: ["*"] } }], to: [{ operation: { ports: ["443"] } }] }],
      },
    });
  });

  test.each<[servers: string, problem: string]>([
    ["{port: {number: 80, protocol: TCP}, hosts: ['*']}", "protocol: must be HTTP"],
    [
      "{port: {number: 443, protocol: HTTPS}, hosts: ['*']}",
      "servers[0].tls: is required with protocol HTTPS",
    ],
    [
      "{port: {number: 80, protocol: HTTP}, hosts: ['*'], tls: {httpsRedirect: true}}",
      "httpsRedirect: not supported",
    ],
    [
      "{port: {number: 443, protocol: HTTPS}, hosts: ['*'], tls: {mode: MUTUAL}}",
      "tls.mode: must be SIMPLE or",
    ],
  ])("%s is refused", (server, problem) => {
    expect(problemsOf(document("Gateway", `{servers: [${server}]}`))).toEqual([
      expect.stringContaining(problem),
    ]);
  });
});

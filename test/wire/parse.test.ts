import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { MAX_DOCUMENTS, parseDocuments, type ParseOptions } from "../../shared/wire/parse.ts";

const OPTIONS: ParseOptions = { defaultNamespace: "shop", allowPrivateEndpoints: false };

function parse(yaml: string, options: Partial<ParseOptions> = {}) {
  const documents: unknown[] = parseAllDocuments(yaml).map((document) => document.toJS());
  return parseDocuments(documents, { ...OPTIONS, ...options });
}

function service(name: string): object {
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec: {} };
}

describe("a document", () => {
  test("gets its defaults", () => {
    expect(
      parse(`{apiVersion: v1, kind: Service, metadata: {name: reviews}, spec: {ports: [{port: 80}]}}`),
    ).toEqual({
      ok: true,
      resources: [
        {
          apiVersion: "v1",
          kind: "Service",
          metadata: { name: "reviews", namespace: "shop", labels: {}, annotations: {} },
          spec: { selector: {}, ports: [{ name: "", port: 80, protocol: "TCP" }] },
        },
      ],
    });
  });

  test("that kubectl printed applies unchanged", () => {
    const yaml = `
apiVersion: v1
kind: Service
metadata:
  name: reviews
  namespace: bookinfo
  labels:
  annotations: { kubectl.kubernetes.io/last-applied-configuration: "{}" }
  creationTimestamp: null
  uid: 0c5f
  resourceVersion: "12"
  generation: 3
  managedFields: [{ manager: kubectl }]
  ownerReferences: []
  finalizers: []
  selfLink: /api
spec:
  type: LoadBalancer
  clusterIP: 10.0.0.1
  clusterIPs: [10.0.0.1]
  sessionAffinity: None
  ipFamilies: [IPv4]
  ipFamilyPolicy: SingleStack
  internalTrafficPolicy: Cluster
  externalTrafficPolicy: Cluster
  publishNotReadyAddresses: true
  ports: [{ name: http, port: 80, targetPort: web, nodePort: 30080, appProtocol: http, protocol: TCP }]
status: { loadBalancer: {} }`;
    const result = parse(yaml);
    expect(result).toMatchObject({ ok: true });
    expect(result.ok && result.resources[0]?.metadata).toEqual({
      name: "reviews",
      namespace: "bookinfo",
      labels: {},
      annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}" },
    });
  });

  test("of a list is as good as one that stands alone", () => {
    const list = { apiVersion: "v1", kind: "List", items: [service("a"), service("b")], metadata: {} };
    expect(parseDocuments([list, service("c")], OPTIONS)).toEqual(
      parseDocuments([service("a"), service("b"), service("c")], OPTIONS),
    );
  });

  test.each([
    ["gateway.networking.k8s.io/v1beta1", "HTTPRoute", {}, "gateway.networking.k8s.io/v1"],
    ["security.istio.io/v1beta1", "AuthorizationPolicy", {}, "security.istio.io/v1"],
    ["selvedge.dev/v1", "AuthorizationPolicy", {}, "security.istio.io/v1"],
    ["selvedge.dev/v1", "PeerAuthentication", {}, "security.istio.io/v1"],
    ["v1", "ServiceAccount", undefined, "v1"],
  ])("of %s %s is stored under one apiVersion", (apiVersion, kind, spec, stored) => {
    expect(parseDocuments([{ apiVersion, kind, metadata: { name: "a" }, spec }], OPTIONS)).toMatchObject({
      resources: [{ apiVersion: stored, kind }],
    });
  });

  test("of a kind without namespace has none", () => {
    const document = { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop", labels: { a: "b" } } };
    expect(parseDocuments([document], OPTIONS)).toEqual({
      ok: true,
      resources: [
        {
          apiVersion: "v1",
          kind: "Namespace",
          metadata: { name: "shop", namespace: "", labels: { a: "b" }, annotations: {} },
          spec: {},
        },
      ],
    });
  });
});

describe("problems", () => {
  test("of all documents and fields are told at once", () => {
    const yaml = `
apiVersion: v1
kind: Service
metadata: { name: Reviews, labels: { "-": x, app: 3 } }
spec: { foo: 1, ports: [{ port: 0, bar: 1 }, { port: 1.5 }, {}] }
---
apiVersion: v2
kind: Service
metadata: { name: details, namespace: UPPER }
spec: {}
---
just text
---
kind: Deployment
metadata: { name: web }
---
apiVersion: v1
kind: Service
metadata: { labels: {} }
spec: null`;
    expect(parse(yaml)).toEqual({
      ok: false,
      problems: [
        {
          path: "Service shop/Reviews: metadata.name",
          message: "use lower-case letters, digits and '-', beginning and ending with a letter or digit",
        },
        {
          path: 'Service shop/Reviews: metadata.labels["-"]',
          message: "a key is [prefix/]name: letters, digits, '-', '_' and '.', name of at most 63 characters",
        },
        { path: "Service shop/Reviews: metadata.labels.app", message: "must be a string, not a number" },
        { path: "Service shop/Reviews: spec.ports[0].port", message: "must be at least 1" },
        {
          path: "Service shop/Reviews: spec.ports[0].bar",
          message: "unknown field; known here: name, port, targetPort, protocol, appProtocol",
        },
        {
          path: "Service shop/Reviews: spec.ports[1].port",
          message: "must be a whole number, not a fraction",
        },
        { path: "Service shop/Reviews: spec.ports[2].port", message: "is required: write a number" },
        {
          path: "Service shop/Reviews: spec.foo",
          message: expect.stringMatching(/^unknown field; known here: selector, ports/),
        },
        { path: "Service UPPER/details: apiVersion", message: "must be v1" },
        {
          path: "Service UPPER/details: metadata.namespace",
          message: expect.stringMatching(/^use lower-case/),
        },
        { path: "document 3", message: "must be an object with apiVersion, kind and metadata" },
        {
          path: "Deployment shop/web: kind",
          message: expect.stringMatching(/^must be one of Namespace, Service/),
        },
        { path: "Service (document 5): metadata.name", message: "is required: write a string" },
        { path: "Service (document 5): spec", message: "must be an object, not null" },
      ],
    });
  });

  test.each([
    [
      "a namespaced kind without a namespace",
      [service("a")],
      [{ path: "Service a: metadata.namespace", message: "is required: name the namespace" }],
    ],
    [
      "a namespace on a kind that has none",
      [{ apiVersion: "v1", kind: "Namespace", metadata: { name: "a", namespace: "b" } }],
      [{ path: "Namespace a: metadata.namespace", message: "this kind has no namespace; leave it out" }],
    ],
    [
      "a list within a list",
      [{ kind: "List", items: [{ kind: "List", items: [] }] }],
      [{ path: "List (document 1, item 1): kind", message: expect.stringContaining("must be one of") }],
    ],
    [
      "a key of the prototype",
      [JSON.parse('{"kind":"Service","__proto__":{}}')],
      [{ path: "document 1", message: expect.stringContaining("__proto__") }],
    ],
    [
      "a kind of the prototype",
      [{ kind: "toString" }],
      [{ path: "toString (document 1): kind", message: expect.stringContaining("must be one of") }],
    ],
    [
      "more documents than allowed",
      [{ kind: "List", items: Array.from({ length: MAX_DOCUMENTS + 1 }, () => null) }],
      [{ path: "documents", message: "too many: 10001 documents, at most 10000 in one apply" }],
    ],
  ])("%s", (_name, documents, problems) => {
    expect(parseDocuments(documents, { allowPrivateEndpoints: false })).toEqual({ ok: false, problems });
  });

  test("a resource may appear once, whatever version its apiVersion has", () => {
    const policy = { kind: "AuthorizationPolicy", metadata: { name: "a" }, spec: {} };
    const documents = [
      { apiVersion: "security.istio.io/v1", ...policy },
      { apiVersion: "security.istio.io/v1beta1", ...policy },
      { apiVersion: "selvedge.dev/v1", ...policy, metadata: { name: "b" } },
    ];
    expect(parseDocuments(documents, OPTIONS)).toEqual({
      ok: false,
      problems: [{ path: "AuthorizationPolicy shop/a", message: "appears twice in this apply: keep one" }],
    });
  });

  test("are cut off where nobody reads on", () => {
    const result = parseDocuments(
      Array.from({ length: 1500 }, () => 1),
      OPTIONS,
    );
    expect(result.ok).toBe(false);
    expect(!result.ok && result.problems.slice(999)).toEqual([
      { path: "document 1000", message: "must be an object with apiVersion, kind and metadata" },
      { path: "documents", message: "and 500 more problems" },
    ]);
  });
});

describe("a private endpoint", () => {
  const endpoint = `{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: a}, spec: {address: "http://127.1:80"}}`;

  test("is refused", () => {
    expect(parse(endpoint)).toEqual({
      ok: false,
      problems: [
        {
          path: "Endpoint shop/a: spec.address",
          message: "may not be a private, loopback or link-local address: use a public host",
        },
      ],
    });
  });

  test("is accepted where development allows it", () => {
    expect(parse(endpoint, { allowPrivateEndpoints: true })).toMatchObject({
      ok: true,
      resources: [
        { spec: { address: "http://127.1:80", weight: 1, serviceAccount: "default", joined: false } },
      ],
    });
  });
});

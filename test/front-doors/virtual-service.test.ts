import { describe, expect, test } from "vitest";
import { notesOf, problemsOf, specsOf, translated } from "./translated.ts";

function virtualService(spec: string): string {
  return `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: web}, spec: ${spec}}`;
}

const PARENT = { group: "", kind: "Service", name: "web" };
const EVERYTHING = [{ path: { type: "PathPrefix", value: "/" } }];
const TO_WEB = "route: [{destination: {host: web}}]";
const WEB = { kind: "Service", name: "web" };

/** The rules of the one route that a VirtualService for the service `web` becomes. */
function rulesOf(...rules: readonly string[]): unknown {
  const specs = specsOf(virtualService(`{hosts: [web], http: [${rules.join(", ")}]}`));
  const { rules: list } = specs["HTTPRoute virtualservice.web"] as { readonly rules: unknown };
  return list;
}

test("a document says where it came from", () => {
  expect(translated(virtualService(`{hosts: [web], http: [{${TO_WEB}}]}`))).toEqual({
    documents: [
      {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "HTTPRoute",
        metadata: {
          name: "virtualservice.web",
          namespace: "shop",
          annotations: { "selvedge.dev/translated-from": "VirtualService shop/web" },
        },
        spec: {
          parentRefs: [PARENT],
          order: "Listed",
          rules: [{ matches: EVERYTHING, backendRefs: [WEB] }],
        },
      },
    ],
    notes: [],
  });
});

describe("matches", () => {
  test.each<[match: string, matches: readonly unknown[]]>([
    ["{uri: {exact: /a}}", [{ path: { type: "Exact", value: "/a" } }]],
    ["{uri: {prefix: /a}}", [{ path: { type: "TextPrefix", value: "/a" } }]],
    ["{uri: {prefix: /}}", [{ path: { type: "PathPrefix", value: "/" } }]],
    ["{uri: {regex: '/a/[0-9]+'}}", [{ path: { type: "RegularExpression", value: "/a/[0-9]+" } }]],
    [
      "{uri: {prefix: /a}, ignoreUriCase: true}",
      [{ path: { type: "TextPrefix", value: "/a", ignoreCase: true } }],
    ],
    ["{method: {exact: GET}}", [{ method: "GET" }]],
    ["{method: {regex: GET|HEAD}}", [{ method: "GET" }, { method: "HEAD" }]],
    ["{headers: {x-a: {exact: b}}}", [{ headers: [{ type: "Exact", name: "x-a", value: "b" }] }]],
    ["{headers: {x-a: {prefix: b}}}", [{ headers: [{ type: "Prefix", name: "x-a", value: "b" }] }]],
    ["{headers: {x-a: {}}}", [{ headers: [{ type: "Present", name: "x-a" }] }]],
    ["{headers: {x-a: null}}", [{ headers: [{ type: "Present", name: "x-a" }] }]],
    [
      "{headers: {x-a: {regex: b+}}, withoutHeaders: {x-a: {exact: bb}, x-c: {}}}",
      [
        {
          headers: [
            { type: "RegularExpression", name: "x-a", value: "b+" },
            { type: "Exact", name: "x-a", value: "bb", invert: true },
            { type: "Present", name: "x-c", invert: true },
          ],
        },
      ],
    ],
    ["{queryParams: {q: {exact: '1'}}}", [{ queryParams: [{ type: "Exact", name: "q", value: "1" }] }]],
    ["{sourceNamespace: other}", [{ from: [{ namespaces: ["other"] }] }]],
  ])("%s", (match, matches) => {
    expect(rulesOf(`{match: [${match}], ${TO_WEB}}`)).toEqual([{ matches, backendRefs: [WEB] }]);
  });
});

describe("actions", () => {
  test.each<[rule: string, rule: object]>([
    [
      "route: [{destination: {host: web, subset: v1}, weight: 80}, {destination: {host: b.other.svc.cluster.local, port: {number: 81}}, weight: 20}]",
      {
        backendRefs: [
          { kind: "Service", name: "web", subset: "v1", weight: 80 },
          { kind: "Service", name: "b", namespace: "other", port: 81, weight: 20 },
        ],
      },
    ],
    [
      "route: [{destination: {host: web, subset: v1}, weight: 100}, {destination: {host: web, subset: v2}}]",
      {
        backendRefs: [
          { kind: "Service", name: "web", subset: "v1", weight: 100 },
          { kind: "Service", name: "web", subset: "v2", weight: 0 },
        ],
      },
    ],
    ["route: [{destination: {host: web}, weight: 0}]", { backendRefs: [WEB] }],
    [`timeout: 1.5s, ${TO_WEB}`, { backendRefs: [WEB], timeouts: { request: "1s500ms" } }],
    [`timeout: 0s, ${TO_WEB}`, { backendRefs: [WEB], timeouts: { request: "0s" } }],
    [
      `timeout: 1s, retries: {attempts: 3, perTryTimeout: 2s, retryOn: 'gateway-error,429,refused-stream'}, ${TO_WEB}`,
      {
        backendRefs: [WEB],
        timeouts: { request: "1s", backendRequest: "1s" },
        retry: { attempts: 3, on: ["gateway-error"], codes: [429], anyMethod: true },
      },
    ],
    [`retries: {attempts: 0}, ${TO_WEB}`, { backendRefs: [WEB], retry: { attempts: 0 } }],
    [
      `retries: {}, ${TO_WEB}`,
      {
        backendRefs: [WEB],
        retry: { attempts: 2, on: ["connect-failure", "unavailable", "cancelled"], anyMethod: true },
      },
    ],
    [
      `fault: {delay: {fixedDelay: 7s, percentage: {value: 100}}}, ${TO_WEB}`,
      {
        backendRefs: [WEB],
        faults: [{ delay: { fixed: "7s", percentage: 100 } }],
        timeouts: { request: "0s" },
        retry: { attempts: 0 },
      },
    ],
    [
      `fault: {abort: {grpcStatus: UNAVAILABLE}}, ${TO_WEB}`,
      {
        backendRefs: [WEB],
        faults: [{ abort: { grpcStatus: "UNAVAILABLE", percentage: 0 } }],
        timeouts: { request: "0s" },
        retry: { attempts: 0 },
      },
    ],
    [
      "redirect: {uri: /new, authority: 'other.example:8443', scheme: https}",
      {
        filters: [
          {
            type: "RequestRedirect",
            requestRedirect: {
              scheme: "https",
              hostname: "other.example",
              port: 8443,
              path: { type: "ReplaceFullPath", replaceFullPath: "/new" },
              statusCode: 301,
            },
          },
        ],
      },
    ],
    ["directResponse: {status: 503, body: {string: closed}}", { respond: { status: 503, body: "closed" } }],
    [
      `mirror: {host: copy, subset: v2}, mirrorPercentage: {value: 0.5}, ${TO_WEB}`,
      {
        filters: [
          {
            type: "RequestMirror",
            requestMirror: {
              backendRef: { kind: "Service", name: "copy", subset: "v2" },
              fraction: { numerator: 5000, denominator: 1_000_000 },
            },
          },
        ],
        backendRefs: [WEB],
      },
    ],
    [
      `mirrors: [{destination: {host: a}}, {destination: {host: b}, percentage: {value: 10}}], ${TO_WEB}`,
      {
        filters: [
          { type: "RequestMirror", requestMirror: { backendRef: { kind: "Service", name: "a" } } },
          {
            type: "RequestMirror",
            requestMirror: { backendRef: { kind: "Service", name: "b" }, percent: 10 },
          },
        ],
        backendRefs: [WEB],
      },
    ],
    [
      `corsPolicy: {allowOrigins: [{exact: 'https://a.test'}], allowMethods: [GET], maxAge: 24h, allowCredentials: true}, ${TO_WEB}`,
      {
        filters: [
          {
            type: "CORS",
            cors: {
              allowOrigins: ["https://a.test"],
              allowMethods: ["GET"],
              maxAge: 86_400,
              allowCredentials: true,
            },
          },
        ],
        backendRefs: [WEB],
      },
    ],
    [
      "headers: {request: {set: {x-a: '1'}, remove: [x-b]}}, route: [{destination: {host: web}, headers: {response: {add: {x-c: '2'}}}}]",
      {
        filters: [
          {
            type: "RequestHeaderModifier",
            requestHeaderModifier: { set: [{ name: "x-a", value: "1" }], remove: ["x-b"] },
          },
        ],
        backendRefs: [
          {
            ...WEB,
            filters: [
              {
                type: "ResponseHeaderModifier",
                responseHeaderModifier: { add: [{ name: "x-c", value: "2" }] },
              },
            ],
          },
        ],
      },
    ],
  ])("%s", (rule, expected) => {
    expect(rulesOf(`{${rule}}`)).toEqual([{ matches: EVERYTHING, ...expected }]);
  });

  test("a rewrite replaces what a prefix matched, and all of what anything else matched", () => {
    const rules = rulesOf(
      `{match: [{uri: {prefix: /a}}, {uri: {exact: /b}}], rewrite: {uri: /c, authority: d.test}, ${TO_WEB}}`,
    );
    expect(rules).toEqual([
      {
        matches: [{ path: { type: "TextPrefix", value: "/a" } }],
        filters: [
          {
            type: "URLRewrite",
            urlRewrite: {
              hostname: "d.test",
              path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/c" },
            },
          },
        ],
        backendRefs: [WEB],
      },
      {
        matches: [{ path: { type: "Exact", value: "/b" } }],
        filters: [
          {
            type: "URLRewrite",
            urlRewrite: { hostname: "d.test", path: { type: "ReplaceFullPath", replaceFullPath: "/c" } },
          },
        ],
        backendRefs: [WEB],
      },
    ]);
  });
});

describe("doors", () => {
  test("Gateways and the mesh have routes of their own", () => {
    const specs = specsOf(
      virtualService(`{hosts: [web], gateways: [mesh, edge, infra/main], http: [{${TO_WEB}}]}`),
    );
    const rules = [{ matches: EVERYTHING, backendRefs: [WEB] }];
    expect(specs).toEqual({
      "HTTPRoute virtualservice.web.1": {
        parentRefs: [{ name: "istiogateway.edge" }, { name: "istiogateway.main", namespace: "infra" }],
        hostnames: ["web.shop.svc.cluster.local"],
        order: "Listed",
        rules,
      },
      "HTTPRoute virtualservice.web.2": { parentRefs: [PARENT], order: "Listed", rules },
    });
  });

  test("a rule holds where its matches ask for it", () => {
    const specs = specsOf(
      virtualService(
        `{hosts: [www.test], gateways: [a, b], http: [{match: [{gateways: [a], uri: {exact: /a}}], ${TO_WEB}}, {${TO_WEB}}]}`,
      ),
    );
    const rest = { matches: EVERYTHING, backendRefs: [WEB] };
    expect(specs).toEqual({
      "HTTPRoute virtualservice.web.1": {
        parentRefs: [{ name: "istiogateway.a" }],
        hostnames: ["www.test"],
        order: "Listed",
        rules: [{ matches: [{ path: { type: "Exact", value: "/a" } }], backendRefs: [WEB] }, rest],
      },
      "HTTPRoute virtualservice.web.2": {
        parentRefs: [{ name: "istiogateway.b" }],
        hostnames: ["www.test"],
        order: "Listed",
        rules: [rest],
      },
    });
  });

  test("a port that a match asks for has its own route, with all the rules that hold there", () => {
    const specs = specsOf(
      virtualService(`{hosts: [web], http: [{match: [{port: 81}], redirect: {uri: /x}}, {${TO_WEB}}]}`),
    );
    const rest = { matches: EVERYTHING, backendRefs: [WEB] };
    expect(Object.keys(specs)).toEqual(["HTTPRoute virtualservice.web.1", "HTTPRoute virtualservice.web.2"]);
    expect(specs["HTTPRoute virtualservice.web.1"]).toMatchObject({
      parentRefs: [{ ...PARENT, port: 81 }],
      rules: [{ filters: [{ type: "RequestRedirect" }] }, rest],
    });
    expect(specs["HTTPRoute virtualservice.web.2"]).toMatchObject({ parentRefs: [PARENT], rules: [rest] });
  });

  test("more rules than a route may have go on in the next, in order", () => {
    const rules = Array.from({ length: 40 }, (_, index) => `{match: [{uri: {exact: /${index}}}], ${TO_WEB}}`);
    const specs = specsOf(virtualService(`{hosts: [web], http: [${rules.join(", ")}]}`));
    const counts = Object.entries(specs).map(([name, spec]) => {
      const { rules } = spec as { readonly rules: readonly { readonly matches: readonly unknown[] }[] };
      return [name, rules.length];
    });
    expect(counts).toEqual([
      ["HTTPRoute virtualservice.web.1", 16],
      ["HTTPRoute virtualservice.web.2", 16],
      ["HTTPRoute virtualservice.web.3", 8],
    ]);
  });
});

describe("what would mean something else is refused", () => {
  test.each<[spec: string, problem: string]>([
    [`{hosts: [web], tcp: [{}], http: [{${TO_WEB}}]}`, "spec.tcp: not supported yet"],
    [`{hosts: [web], tls: [{}], http: [{${TO_WEB}}]}`, "spec.tls: not supported yet"],
    [
      `{hosts: [web], http: [{match: [{authority: {exact: a}}], ${TO_WEB}}]}`,
      "match[0].authority: not supported",
    ],
    [
      `{hosts: [web], http: [{match: [{scheme: {exact: http}}], ${TO_WEB}}]}`,
      "match[0].scheme: not supported",
    ],
    [
      `{hosts: [web], http: [{match: [{sourceLabels: {a: b}}], ${TO_WEB}}]}`,
      "match[0].sourceLabels: callers are",
    ],
    [`{hosts: [web], http: [{match: [{method: {prefix: G}}], ${TO_WEB}}]}`, "match[0].method: write exact"],
    [
      `{hosts: [web], http: [{match: [{uri: {regex: '(?=a)'}}], ${TO_WEB}}]}`,
      "path.value: is no RE2 expression",
    ],
    [`{hosts: [web], http: [{match: [{uri: {exact: a}}], ${TO_WEB}}]}`, "path.value: is no path"],
    [
      `{hosts: [web], http: [{match: [{uri: {exact: /a, prefix: /b}}], ${TO_WEB}}]}`,
      "uri: takes one of exact",
    ],
    [
      `{hosts: [web], http: [{rewrite: {uriRegexRewrite: {}}, ${TO_WEB}}]}`,
      "rewrite.uriRegexRewrite: not supported",
    ],
    [`{hosts: [web], http: [{delegate: {name: a}}]}`, "http[0].delegate: not supported"],
    [`{hosts: [web], http: [{${TO_WEB}, redirect: {uri: /a}}]}`, "http[0].route: a rule takes exactly one"],
    [
      `{hosts: [web], http: [{retries: {retryOn: retriable-headers}, ${TO_WEB}}]}`,
      "retries.retryOn: not supported",
    ],
    [
      `{hosts: [web], http: [{fault: {delay: {exponentialDelay: 1s, fixedDelay: 1s}}, ${TO_WEB}}]}`,
      "exponentialDelay: not",
    ],
    [
      `{hosts: [web], http: [{fault: {abort: {grpcStatus: NONE}}, ${TO_WEB}}]}`,
      "abort.grpcStatus: must be 1 to 16",
    ],
    [
      `{hosts: [web], http: [{headers: {request: {set: {a: '%REQ(b)%'}}}, ${TO_WEB}}]}`,
      "headers.request: a: not supported",
    ],
    [`{hosts: [web], http: [{headers: {request: {set: {host: b}}}, ${TO_WEB}}]}`, "belongs to the mesh"],
    [
      `{hosts: [web], http: [{corsPolicy: {allowOrigins: [{regex: .*}]}, ${TO_WEB}}]}`,
      "allowOrigins[0]: not supported",
    ],
    [`{hosts: ['*'], http: [{${TO_WEB}}]}`, "spec.hosts[0]: a wildcard is for Gateways"],
    [
      `{hosts: [web.other.svc.cluster.local], http: [{${TO_WEB}}]}`,
      "spec.hosts[0]: web.other.svc.cluster.local is of another namespace",
    ],
    [`{hosts: [web], exportTo: ['.'], http: [{${TO_WEB}}]}`, "spec.exportTo: not supported for web"],
    [`{hosts: [web], http: [{${TO_WEB}, colour: red}]}`, "http[0].colour: unknown field"],
  ])("%s", (spec, problem) => {
    expect(problemsOf(virtualService(spec))).toEqual([expect.stringContaining(problem)]);
  });

  test("the calls of its own namespace a VirtualService may route to any", () => {
    expect(
      specsOf(virtualService(`{hosts: [web.other.svc.cluster.local], exportTo: ['.'], http: [{${TO_WEB}}]}`)),
    ).toEqual({
      "HTTPRoute virtualservice.web": {
        parentRefs: [{ ...PARENT, namespace: "other" }],
        order: "Listed",
        rules: [{ matches: EVERYTHING, backendRefs: [WEB] }],
      },
    });
  });
});

test("what has no effect is told", () => {
  const rule = `{fault: {delay: {fixedDelay: 1s}}, timeout: 1s, ${TO_WEB}}`;
  expect(notesOf(virtualService(`{hosts: [web], http: [${rule}]}`))).toEqual([
    "VirtualService shop/web: spec.http[0]: timeout and retries are not in force where fault is, as in Istio",
  ]);
});

/** What each kind refuses: the field, and what its message tells. */
import { describe, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { parseDocuments } from "../../../shared/wire/parse.ts";

/** The problems of a spec, as `field: message`. */
function refusalsOf(apiVersion: string, kind: string, spec: string): readonly string[] {
  const document = { apiVersion, kind, metadata: { name: "a" }, spec: parseYaml(spec) as unknown };
  const result = parseDocuments([document], { defaultNamespace: "shop", allowPrivateEndpoints: false });
  if (result.ok) return [];
  return result.problems.map(({ path, message }) => `${path.replace(`${kind} shop/a: `, "")}: ${message}`);
}

/** Each expected text is part of one problem, in order. */
function holding(texts: readonly string[]): unknown[] {
  return texts.map((text) => expect.stringContaining(text));
}

function gateway(listeners: string): string {
  return `{gatewayClassName: x, listeners: [${listeners}]}`;
}

function rule(text: string): string {
  return `{rules: [{${text}}]}`;
}

function limited(limit: string): string {
  return `{targetRefs: [{kind: Service, name: a}], limits: [{${limit}}]}`;
}

describe("Service", () => {
  test.each([
    ["{ports: [{port: 80}, {port: 80, name: a}]}", ["spec.ports[1].port: repeats item [0]"]],
    ["{ports: [{port: 80, name: a}, {port: 81, name: a}]}", ["spec.ports[1].name: repeats item [0]"]],
    ["{ports: [{port: 53, protocol: QUIC}]}", ["spec.ports[0].protocol: must be TCP or UDP or SCTP"]],
    ["{ports: [{port: 65536}]}", ["spec.ports[0].port: must be at most 65535"]],
    [
      "{type: ExternalName}",
      ["spec.type: must be ClusterIP, NodePort or LoadBalancer; ExternalName is not supported yet"],
    ],
    ["{sessionAffinity: ClientIP}", ["spec.sessionAffinity: not supported yet"]],
    ["{selector: {app: '-'}}", ["spec.selector.app: use at most 63"]],
  ])("%s", (spec, refusals) => {
    expect(refusalsOf("v1", "Service", spec)).toEqual(holding(refusals));
  });
});

describe("Endpoint", () => {
  test.each([
    ["{}", ["spec.address: is required"]],
    ["{address: reviews}", ["spec.address: is not an address: write binding:NAME"]],
    ["{address: 'https://u:p@x.test'}", ["spec.address: may not carry user information"]],
    ["{address: 'https://x.test/a'}", ["spec.address: may not have a path"]],
    ["{address: 'http://[::1]'}", ["spec.address: may not be a private"]],
    ["{address: 'binding:A', weight: 0}", ["spec.weight: must be at least 1"]],
    ["{address: 'binding:A', weight: 1001}", ["spec.weight: must be at most 1000"]],
    ["{address: 'binding:A', services: [A]}", ["spec.services[0]: use lower-case"]],
    ["{address: 'binding:A', joined: 'yes'}", ["spec.joined: must be true or false, not a string"]],
  ])("%s", (spec, refusals) => {
    expect(refusalsOf("selvedge.dev/v1", "Endpoint", spec)).toEqual(holding(refusals));
  });
});

describe("Gateway", () => {
  test.each([
    ["{gatewayClassName: x, listeners: []}", ["spec.listeners: must be at least 1 item"]],
    [
      gateway("{name: a, port: 80, protocol: HTTP}, {name: a, port: 81, protocol: HTTP}"),
      ["spec.listeners[1].name: repeats"],
    ],
    [
      gateway("{name: a, port: 80, protocol: HTTP}, {name: b, port: 80, protocol: HTTP}"),
      ["spec.listeners[1]: repeats"],
    ],
    [
      gateway("{name: a, port: 80, protocol: 'T C P'}"),
      ["spec.listeners[0].protocol: must be HTTP, HTTPS, TLS, TCP or"],
    ],
    [
      gateway("{name: a, port: 80, protocol: HTTP, hostname: '10.0.0.1'}"),
      ["spec.listeners[0].hostname: must be a name"],
    ],
    [
      gateway("{name: a, port: 80, protocol: HTTP, hostname: 'a.*.x'}"),
      ["spec.listeners[0].hostname: write a name"],
    ],
    [
      gateway("{name: a, port: 80, protocol: HTTP, tls: {}}"),
      ["spec.listeners[0].tls: goes with protocol: HTTPS"],
    ],
    [
      gateway("{name: a, port: 443, protocol: HTTPS, tls: {mode: Passthrough}}"),
      ["spec.listeners[0].tls.mode: must be Terminate for protocol: HTTPS"],
    ],
    [
      gateway("{name: a, port: 443, protocol: HTTPS, tls: {frontendValidation: {}}}"),
      ["spec.listeners[0].tls.frontendValidation: unknown field"],
    ],
    [
      gateway("{name: a, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector}}}"),
      ["spec.listeners[0].allowedRoutes.namespaces.selector: goes with from: Selector"],
    ],
    [
      gateway(
        "{name: a, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchExpressions: [{key: a, operator: In}]}}}}",
      ),
      ["matchExpressions[0].values: In and NotIn take at least one value"],
    ],
  ])("%s", (spec, refusals) => {
    expect(refusalsOf("gateway.networking.k8s.io/v1", "Gateway", spec)).toEqual(holding(refusals));
  });
});

describe("HTTPRoute", () => {
  function filter(text: string): string {
    return rule(`filters: [{${text}}]`);
  }
  test.each([
    ["{rules: []}", ["spec.rules: must be at least 1 item"]],
    [`{rules: [${"{},".repeat(17)}]}`, ["spec.rules: must be at most 16 items"]],
    ["{hostnames: [A.test]}", ["spec.hostnames[0]: write a name in lower case"]],
    ["{hostnames: ['1.2.3.4']}", ["spec.hostnames[0]: must be a name"]],
    ["{parentRefs: [{name: a, kind: Service}]}", ['spec.parentRefs[0].group: must be "" for a Service']],
    ["{parentRefs: [{name: a, kind: Mesh}]}", ["spec.parentRefs[0].kind: must be Gateway, ListenerSet or"]],
    ["{parentRefs: [{name: a, kind: ListenerSet, group: ''}]}", ["spec.parentRefs[0].group: must be"]],
    ["{parentRefs: [{name: a}, {name: a}]}", ["spec.parentRefs[1]: repeats"]],
    [
      rule("matches: [{path: {type: RegularExpression, value: '/(?=a)'}}]"),
      ["spec.rules[0].matches[0].path.value: is no RE2 expression: invalid or unsupported Perl syntax"],
    ],
    [rule("matches: [{path: {value: a}}]"), ["spec.rules[0].matches[0].path.value: is no path"]],
    [rule("matches: [{path: {value: /a/../b}}]"), ["spec.rules[0].matches[0].path.value: is no path"]],
    [
      rule("matches: [{headers: [{type: RegularExpression, name: a, value: '['}]}]"),
      ["headers[0].value: is no RE2 expression: missing closing ]"],
    ],
    [
      rule("matches: [{queryParams: [{type: RegularExpression, name: a, value: '(a)\\1'}]}]"),
      ["queryParams[0].value: is no RE2 expression: invalid escape sequence"],
    ],
    [rule("matches: [{headers: [{name: 'a b', value: b}]}]"), ["headers[0].name: a header name"]],
    [rule("matches: [{headers: [{name: a, value: b}, {name: A, value: c}]}]"), ["headers[1].name: repeats"]],
    [
      rule("matches: [{queryParams: [{name: a, value: b}, {name: a, value: c}]}]"),
      ["queryParams[1].name: repeats"],
    ],
    [rule("matches: [{method: get}]"), ["method: must be GET or HEAD"]],
    [rule("backendRefs: [{name: a}]"), ["backendRefs[0].port: is required for a Service"]],
    [
      rule("backendRefs: [{name: a, port: 80, weight: 1000001}]"),
      ["backendRefs[0].weight: must be at most 1000000"],
    ],
    [rule("backendRefs: [{name: a, port: 80, weight: -1}]"), ["backendRefs[0].weight: must be at least 0"]],
    [
      rule("backendRefs: [{name: a, port: 80, filters: [{type: ExtensionRef}]}]"),
      ["backendRefs[0].filters[0].type: not supported yet"],
    ],
    [rule("timeouts: {request: 1s, backendRequest: 2s}"), ["timeouts.backendRequest: may not be longer"]],
    [rule("timeouts: {request: 1.5s}"), ["timeouts.request: write a duration"]],
    [rule("retry: {attempts: 11}"), ["retry.attempts: must be at most 10"]],
    [rule("retry: {codes: [200]}"), ["retry.codes[0]: must be at least 400"]],
    [rule("sessionPersistence: {idleTimeout: 1.5s}"), ["sessionPersistence.idleTimeout: write a duration"]],
    [filter("type: RequestMirror, requestMirror: {}"), ["requestMirror.backendRef: is required"]],
    [
      filter("type: RequestMirror, requestMirror: {backendRef: {name: a}}"),
      ["filters[0].requestMirror.backendRef.port: is required for a Service"],
    ],
    [
      filter(
        "type: RequestMirror, requestMirror: {backendRef: {name: a, port: 80}, percent: 1, fraction: {numerator: 1}}",
      ),
      ["filters[0].requestMirror.fraction: give percent or fraction, not both"],
    ],
    [
      filter(
        "type: RequestMirror, requestMirror: {backendRef: {name: a, port: 80}, fraction: {numerator: 3, denominator: 2}}",
      ),
      ["filters[0].requestMirror.fraction.numerator: may not be more than denominator"],
    ],
    [filter("type: CORS"), ["filters[0].cors: goes with type: CORS"]],
    [
      filter("type: CORS, cors: {allowOrigins: [example.test]}"),
      ["cors.allowOrigins[0]: write * or scheme://"],
    ],
    [filter("type: CORS, cors: {allowMethods: ['*', GET]}"), ["cors.allowMethods: '*' stands alone"]],
    [filter("type: RequestHeaderModifier"), ["filters[0].requestHeaderModifier: goes with"]],
    [
      filter("type: URLRewrite, urlRewrite: {}, requestRedirect: {}"),
      ["filters[0].requestRedirect: goes with"],
    ],
    [
      filter(
        "type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: b}, {name: A, value: c}]}",
      ),
      ["set[1].name: repeats"],
    ],
    [
      filter('type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: "b\\r\\nc: d"}]}'),
      ["set[0].value: a header value"],
    ],
    [
      filter("type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: ' b'}]}"),
      ["set[0].value: a header value"],
    ],
    [
      filter(
        "type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: X-Selvedge-Peer, value: b}]}",
      ),
      ["add[0].name: belongs to the mesh"],
    ],
    [
      filter("type: RequestHeaderModifier, requestHeaderModifier: {remove: [Host]}"),
      ["remove[0]: belongs to the mesh"],
    ],
    [
      filter(
        "type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: content-length, value: '1'}]}",
      ),
      ["set[0].name: belongs to the mesh"],
    ],
    [filter("type: RequestRedirect, requestRedirect: {statusCode: 200}"), ["statusCode: must be 301, 302"]],
    [
      filter("type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replacePrefixMatch: /a}}"),
      ["replaceFullPath: goes with", "replacePrefixMatch: goes with"],
    ],
    [
      rule("filters: [{type: URLRewrite, urlRewrite: {}}, {type: URLRewrite, urlRewrite: {}}]"),
      ["filters[1].type: repeats"],
    ],
    [
      rule("filters: [{type: URLRewrite, urlRewrite: {}}, {type: RequestRedirect, requestRedirect: {}}]"),
      ["filters: RequestRedirect and URLRewrite exclude"],
    ],
    [
      rule("filters: [{type: RequestRedirect, requestRedirect: {}}], backendRefs: [{name: a, port: 80}]"),
      ["filters[0]: a redirect answers itself"],
    ],
    [
      rule(
        "matches: [{path: {type: Exact, value: /a}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}]",
      ),
      ["filters[0]: ReplacePrefixMatch needs matches of type PathPrefix"],
    ],
    ["{rules: [{name: a}, {name: a}]}", ["spec.rules[1].name: repeats"]],
    [`{rules: [${`{matches: [${"{},".repeat(50)}]},`.repeat(3)}]}`, ["spec.rules: at most 128 matches"]],
  ])("%s", (spec, refusals) => {
    expect(refusalsOf("gateway.networking.k8s.io/v1", "HTTPRoute", spec)).toEqual(holding(refusals));
  });
});

describe("RateLimitPolicy", () => {
  test.each([
    ["{targetRefs: [{kind: Service, name: a}], limits: []}", ["spec.limits: must be at least 1 item"]],
    [limited("requests: 0"), ["spec.limits[0].requests: must be at least 1"]],
    [limited("requests: 1, per: 0s"), ["spec.limits[0].per: must be more than zero"]],
    [limited("requests: 1, key: [{type: Header}]"), ["spec.limits[0].key[0].name: goes with type: Header"]],
    [
      limited("requests: 1, key: [{type: Caller, name: a}]"),
      ["spec.limits[0].key[0].name: goes with type: Header"],
    ],
    [
      limited("requests: 1, key: [{type: Header, name: 'a b'}]"),
      ["spec.limits[0].key[0].name: a header name"],
    ],
    [limited("requests: 1, key: [{type: Claim}]"), ["spec.limits[0].key[0].name: goes with type: Header"]],
    [
      limited("requests: 1, binding: a-b"),
      ["spec.limits[0].binding: write the name of a rate-limit binding"],
    ],
    [
      limited("requests: 100, burst: 40, mode: Leased"),
      ["spec.limits[0].burst: mode: Leased needs a burst of at least what passes in 500ms"],
    ],
    [
      limited("requests: 1000001, burst: 1000000, mode: Leased"),
      ["spec.limits[0].requests: mode: Leased counts up to 1,000,000"],
    ],
    [limited("requests: 1, mode: Global"), ["spec.limits[0].mode: must be Local or Leased or Strict"]],
  ])("%s", (spec, refusals) => {
    expect(refusalsOf("selvedge.dev/v1", "RateLimitPolicy", spec)).toEqual(holding(refusals));
  });
});

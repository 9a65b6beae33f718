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

function holding(texts: readonly string[]): unknown[] {
  return texts.map((text) => expect.stringContaining(text));
}

function source(text: string): string {
  return `{rules: [{from: [{source: {${text}}}]}]}`;
}

function operation(text: string): string {
  return `{rules: [{to: [{operation: {${text}}}]}]}`;
}

function condition(text: string): string {
  return `{rules: [{when: [{${text}}]}]}`;
}

function jwt(text: string): string {
  return `{jwtRules: [{${text}}]}`;
}

describe("AuthorizationPolicy", () => {
  test.each([
    ["{action: LOG}", ["spec.action: must be ALLOW, DENY, AUDIT or CUSTOM"]],
    ["{action: CUSTOM}", ["spec.provider: goes with action: CUSTOM"]],
    ["{provider: {name: a}}", ["spec.provider: goes with action: CUSTOM"]],
    ["{rules: [{when: []}]}", ["spec.rules[0].when: must be at least 1 item"]],
    [
      condition("key: source.port, values: [a]"),
      ["when[0].key: is no attribute: write one of request.headers"],
    ],
    [condition("key: experimental.envoy.filters.a, values: [a]"), ["when[0].key: is no attribute"]],
    [condition("key: 'request.headers[]', values: [a]"), ["when[0].key: is no attribute"]],
    [condition("key: 'request.auth.claims[a', values: [a]"), ["when[0].key: is no attribute"]],
    [condition("key: toString, values: [a]"), ["when[0].key: is no attribute"]],
    [condition("key: source.ip"), ["when[0]: needs values or notValues"]],
    [condition("key: source.ip, values: [a]"), ["when[0].values[0]: write an address or a block"]],
    [condition("key: source.ip, notValues: [10.0.0.0/33]"), ["when[0].notValues[0]: write an address"]],
    [condition("key: destination.port, values: ['0']"), ["when[0].values[0]: must be a port"]],
    [condition("key: source.namespace, values: ['a*b']"), ["when[0].values[0]: '*' may stand"]],
    [condition("key: source.namespace, values: ['*a*']"), ["when[0].values[0]: '*' may stand at one end"]],
    [condition("key: 'request.headers[x-a]', values: ['a*b']"), ["when[0].values[0]: "]],
    [condition("key: 'request.headers[x-a]', values: ['*a*b*']"), ["when[0].values[0]: "]],
    ["{rules: [{notAfter: tomorrow}]}", ["spec.rules[0].notAfter: write a time"]],
    ["{action: DENY, rules: [{notAfter: '2030-01-01T00:00:00Z'}]}", ["spec.rules: notAfter goes with"]],
    ["{rules: [{from: []}]}", ["spec.rules[0].from: must be at least 1 item"]],
    ["{rules: [{from: null}]}", ["spec.rules[0].from: must be a list, not null"]],
    ["{rules: [{from: [{}]}]}", ["spec.rules[0].from[0].source: is required"]],
    ["{rules: [{form: []}]}", ["spec.rules[0].form: unknown field; known here: from, to"]],
    [source(""), ["source: must have at least one field"]],
    [source("principals: []"), ["principals: must be at least 1 item"]],
    [source("principals: ['']"), ["principals[0]: must be at least 1 character"]],
    [source("principals: ['spiffe://a/ns/b/sa/c']"), ["principals[0]: write <trust-domain>"]],
    [source("principals: ['a*b']"), ["principals[0]: '*' may stand at the beginning or at the end"]],
    [source("namespaces: ['*a*']"), ["namespaces[0]: '*' may stand at one end"]],
    [source("namespaces: ['**']"), ["namespaces[0]: '*' may stand at one end"]],
    [source("requestPrincipals: [issuer]"), ["requestPrincipals[0]: write issuer/subject"]],
    [source("ipBlocks: ['1.2.3']"), ["ipBlocks[0]: write an address or a block"]],
    [source("notRemoteIpBlocks: ['010.0.0.1']"), ["notRemoteIpBlocks[0]: write an address or a block"]],
    [source("serviceAccounts: ['a*']"), ["serviceAccounts[0]: write namespace/account"]],
    [source("serviceAccounts: [a], principals: [b]"), ["serviceAccounts: goes without principals"]],
    [source("notServiceAccounts: [a], notNamespaces: [b]"), ["notServiceAccounts: goes without"]],
    [operation(""), ["operation: must have at least one field"]],
    [operation("paths: [admin]"), ["paths[0]: is no path"]],
    [operation("paths: ['/a/{*}b']"), ["paths[0]: is no path template"]],
    [operation("paths: ['/{**}/{*}']"), ["paths[0]: is no path template"]],
    [operation("paths: ['/{name}']"), ["paths[0]: is no path template"]],
    [operation("paths: ['/a%2f/{*}']"), ["paths[0]: is no path template"]],
    [operation("paths: ['a/{*}']"), ["paths[0]: is no path template"]],
    [operation("paths: ['/a%2fb']"), ["paths[0]: is no path"]],
    [operation("hosts: ['a.test:80']"), ["hosts[0]: hosts are compared without a port"]],
    [operation("ports: ['0']"), ["ports[0]: must be a port"]],
    [operation("ports: [65536]"), ["ports[0]: must be a port"]],
    [
      "{selector: {matchLabels: {}}, targetRefs: [{kind: Service, name: a}]}",
      ["spec.targetRefs: selector and targetRefs exclude"],
    ],
    [
      "{selector: {}, targetRef: {kind: Service, name: a}}",
      ["spec.targetRefs: selector and targetRefs exclude"],
    ],
    ["{targetRefs: []}", ["spec.targetRefs: must be at least 1 item"]],
    [
      "{targetRefs: [{kind: GatewayClass, name: a}]}",
      ["spec.targetRefs[0].kind: must be Service or Gateway or Endpoint"],
    ],
    [
      "{targetRefs: [{kind: Gateway, name: a}]}",
      [
        "spec.targetRefs[0].group: must be the group of the kind: '' for Service, 'gateway.networking.k8s.io' for Gateway, 'selvedge.dev' for Endpoint",
      ],
    ],
    [
      "{targetRefs: [{kind: Service, name: a, namespace: b}]}",
      ["spec.targetRefs[0].namespace: a policy targets its own namespace"],
    ],
    [
      "{targetRefs: [{kind: Service, name: a}, {kind: Service, name: a}]}",
      ["spec.targetRefs[1].name: repeats"],
    ],
    ["{selector: {matchExpressions: []}}", ["spec.selector.matchExpressions: unknown field"]],
  ])("%s", (spec, refusals) => {
    expect(refusalsOf("security.istio.io/v1", "AuthorizationPolicy", spec)).toEqual(holding(refusals));
  });
});

describe("PeerAuthentication", () => {
  test.each([
    ["{mtls: {mode: OFF}}", ["spec.mtls.mode: must be STRICT, PERMISSIVE, DISABLE or UNSET"]],
    ["{portLevelMtls: {80: {mode: STRICT}}}", ["spec.portLevelMtls: needs a selector"]],
    ["{selector: {}, portLevelMtls: {http: {mode: STRICT}}}", ["portLevelMtls.http: must be a port"]],
  ])("%s", (spec, refusals) => {
    expect(refusalsOf("security.istio.io/v1", "PeerAuthentication", spec)).toEqual(holding(refusals));
  });
});

describe("RequestAuthentication", () => {
  const KEY = '{"kty":"EC","crv":"P-256","x":"a","y":"b"}';

  test.each([
    [jwt(""), ["issuer: is required"]],
    [jwt("issuer: a"), ["jwksUri: is required, or jwks"]],
    [jwt("issuer: a, jwksUri: 'http://keys.example/a'"), ["jwksUri: keys that come over plain HTTP"]],
    [jwt("issuer: a, jwksUri: 'ftp://keys.example/a'"), ["jwksUri: write https://host/path"]],
    [jwt("issuer: a, jwksUri: 'https://a@keys.example/a'"), ["jwksUri: write https://host/path"]],
    [jwt("issuer: a, jwksUri: 'https://127.0.0.1/a'"), ["jwksUri: may not be a private"]],
    [jwt("issuer: a, jwksUri: 'https://[::ffff:7f00:1]/a'"), ["jwksUri: may not be a private"]],
    [jwt("issuer: a, jwks: '{}'"), ["jwks: is no key set"]],
    [jwt("issuer: a, jwks: '{\"keys\":[]}'"), ["jwks: has no public key"]],
    [jwt(`issuer: a, jwks: '{"keys":[{"kty":"oct","k":"a"}]}'`), ["jwks: has a private or a shared key"]],
    [jwt(`issuer: a, jwks: '{"keys":[${KEY.replace("}", ',"d":"c"}')}]}'`), ["jwks: has a private or"]],
    [
      jwt(`issuer: a, jwks: '{"keys":[${KEY}]}', outputPayloadToHeader: x-selvedge-peer`),
      ["is a header that the mesh"],
    ],
    [jwt(`issuer: a, jwks: '{"keys":[${KEY}]}', fromParams: ['a b']`), ["fromParams[0]: a name holds"]],
    [
      "{selector: {}, targetRefs: [{kind: Service, name: a}]}",
      ["spec.targetRefs: selector and targetRefs exclude"],
    ],
  ])("%s", (spec, refusals) => {
    expect(refusalsOf("security.istio.io/v1", "RequestAuthentication", spec)).toEqual(holding(refusals));
  });
});

describe("AuthorizationProvider", () => {
  test.each([
    ["{}", ["spec.address: is required"]],
    ["{address: nowhere}", ["spec.address: is not an address"]],
    ["{address: 'http://10.0.0.1'}", ["spec.address: may not be a private"]],
    ["{address: 'binding:A', pathPrefix: /check/}", ["spec.pathPrefix: may not end in '/'"]],
    ["{address: 'binding:A', timeout: 0s}", ["spec.timeout: must be more than zero"]],
    ["{address: 'binding:A', statusOnError: '200'}", ["spec.statusOnError: must be at least 400"]],
    [
      "{address: 'binding:A', includeRequestBodyInCheck: {}}",
      ["spec.includeRequestBodyInCheck: not supported yet"],
    ],
  ])("%s", (spec, refusals) => {
    expect(refusalsOf("selvedge.dev/v1", "AuthorizationProvider", spec)).toEqual(holding(refusals));
  });
});

/** Gateway API's kinds beyond Gateway and HTTPRoute: what they refuse, and what is kept of those with secrets. */
import { describe, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { parseDocuments } from "../../../shared/wire/parse.ts";

const GROUP = "gateway.networking.k8s.io/v1";

function parse(document: unknown, allowPrivateEndpoints = false) {
  return parseDocuments([document], { defaultNamespace: "shop", allowPrivateEndpoints });
}

function refusals(apiVersion: string, kind: string, fields: string): readonly string[] {
  const result = parse({ apiVersion, kind, metadata: { name: "a" }, ...parseYaml(fields) });
  if (result.ok) return [];
  return result.problems.map(({ path, message }) => `${path.replace(/^\S+ (shop\/)?a: /, "")}: ${message}`);
}

const grpc = (match: string) => `{spec: {rules: [{matches: [{method: {${match}}}]}]}}`;
const listener = "{name: a, port: 80, protocol: HTTP}";
const GRANT = "from: [{group: '', kind: Service, namespace: a}]";
const VALIDATION = "validation: {hostname: a.test";
const SLICE = "addressType: IPv4, ports: [{port: 80}]";

describe("refused", () => {
  test.each([
    [GROUP, "GRPCRoute", grpc(""), "spec.rules[0].matches[0].method.service: give service, method or both"],
    [GROUP, "GRPCRoute", grpc("service: a/b"), "service: is no name of Protocol Buffers"],
    [GROUP, "GRPCRoute", grpc("method: a.b"), "method: is no name of Protocol Buffers"],
    [GROUP, "GRPCRoute", grpc("type: RegularExpression, service: '('"), "service: is no RE2 expression"],
    [
      GROUP,
      "GRPCRoute",
      "{spec: {rules: [{filters: [{type: URLRewrite, urlRewrite: {}}]}]}}",
      "filters[0].type: not supported yet: write RequestHeaderModifier",
    ],
    [
      GROUP,
      "GRPCRoute",
      "{spec: {rules: [{backendRefs: [{name: a}]}]}}",
      "spec.rules[0].backendRefs[0].port: is required for a Service",
    ],
    [GROUP, "TCPRoute", "{spec: {rules: []}}", "spec.rules: must be at least 1 item"],
    [
      GROUP,
      "TLSRoute",
      "{spec: {rules: [{backendRefs: [{name: a}]}]}}",
      "backendRefs[0].port: is required for a Service",
    ],
    [
      GROUP,
      "ListenerSet",
      `{spec: {parentRef: {name: a, kind: Service}, listeners: [${listener}]}}`,
      "spec.parentRef.kind: must be Gateway",
    ],
    [
      GROUP,
      "ListenerSet",
      `{spec: {parentRef: {name: a}, listeners: [${listener}, ${listener}]}}`,
      "spec.listeners[1].name: repeats",
    ],
    [GROUP, "ReferenceGrant", `{spec: {${GRANT}, to: []}}`, "spec.to: must be at least 1 item"],
    [GROUP, "GatewayClass", "{spec: {controllerName: a}}", "spec.controllerName: write domain/path"],
    [
      GROUP,
      "BackendTLSPolicy",
      `{spec: {targetRefs: [{group: '', kind: Service, name: a}], ${VALIDATION}}}}`,
      "spec.validation.caCertificateRefs: give either",
    ],
    [
      "discovery.k8s.io/v1",
      "EndpointSlice",
      "{endpoints: []}",
      "addressType: is required: write IPv4, IPv6 or FQDN",
    ],
    [
      "discovery.k8s.io/v1",
      "EndpointSlice",
      `{${SLICE}, endpoints: [{addresses: [10.0.0.1]}]}`,
      "endpoints: may not be a private, loopback or link-local address",
    ],
    ["v1", "Secret", "{data: {a: 1}}", "data.a: must be a string"],
    ["v1", "Secret", "{values: {}}", "values: unknown field"],
  ])("%s %s %s", (apiVersion, kind, fields, refusal) => {
    const told = refusals(apiVersion, kind, fields);
    expect(told.some((text) => text.includes(refusal)) ? [refusal] : told).toEqual([refusal]);
  });
});

test("private addresses of slices are accepted where those of endpoints are", () => {
  const fields = parseYaml(`{${SLICE}, endpoints: [{addresses: [10.0.0.1]}]}`) as object;
  const document = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "a" },
    ...fields,
  };
  expect(parse(document, true).ok).toBe(true);
});

const block = (label: string) => `-----BEGIN ${label}-----\nMIIBsecret\n-----END ${label}-----\n`;
const specOf = (document: unknown) => {
  const result = parse(document);
  return result.ok ? result.resources[0]?.spec : result.problems;
};

describe("of Secrets and ConfigMaps only the form is kept", () => {
  test.each([
    ["Secret", { data: { "tls.crt": btoa(block("CERTIFICATE")) } }, { "tls.crt": "certificate" }],
    ["Secret", { stringData: { "tls.key": block("EC PRIVATE KEY") } }, { "tls.key": "key" }],
    ["Secret", { data: { "tls.crt": "SGVsbG8gd29ybGQK" } }, { "tls.crt": "other" }],
    ["Secret", { data: { "tls.crt": "%%%" } }, { "tls.crt": "other" }],
    ["Secret", { data: { "tls.crt": btoa("-----BEGIN CERTIFICATE-----") } }, { "tls.crt": "other" }],
    ["ConfigMap", { data: { "ca.crt": block("CERTIFICATE") } }, { "ca.crt": "certificate" }],
    ["ConfigMap", {}, {}],
  ])("%s %j", (kind, fields, holds) => {
    const document = { apiVersion: "v1", kind, metadata: { name: "a" }, ...fields };
    expect(specOf(document)).toEqual({ holds });
    expect(JSON.stringify(specOf(document))).not.toContain("secret");
  });

  test("nor does kubectl's copy of them stay", () => {
    const annotations = { "kubectl.kubernetes.io/last-applied-configuration": "secret", kept: "yes" };
    const result = parse({ apiVersion: "v1", kind: "Secret", metadata: { name: "a", annotations } });
    expect(result.ok && result.resources[0]?.metadata.annotations).toEqual({ kept: "yes" });
  });

  test("what the mesh prints applies again", () => {
    const spec = { holds: { "tls.crt": "certificate" } };
    expect(specOf({ apiVersion: "v1", kind: "Secret", metadata: { name: "a" }, spec })).toEqual(spec);
  });
});

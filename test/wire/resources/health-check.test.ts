/** What a health check accepts, refuses, and tells to write instead. */
import { expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { parseDocuments } from "../../../shared/wire/parse.ts";

function refusalsOf(spec: string): readonly string[] {
  const document = {
    apiVersion: "selvedge.dev/v1",
    kind: "TrafficPolicy",
    metadata: { name: "a" },
    spec: parseYaml(spec) as unknown,
  };
  const result = parseDocuments([document], { defaultNamespace: "shop", allowPrivateEndpoints: false });
  if (result.ok) return [];
  return result.problems.map(
    ({ path, message }) => `${path.replace(/^.*spec\.(healthCheck\.)?/, "")}: ${message}`,
  );
}

const check = (text: string) =>
  refusalsOf(`{targetRefs: [{kind: Service, name: a}], healthCheck: {${text}}}`);

test.each([
  "",
  "type: TCP, interval: 1s, timeout: 100ms, jitter: 0s",
  "type: GRPC",
  "type: GRPC, service: shop.v1.Cart, interval: 1s",
  "type: HTTP, path: /healthz, host: a.test, expectedStatuses: [200, 204, 200-299, 400-599]",
  "interval: 1h, timeout: 10s, jitter: 1h, healthyThreshold: 1, unhealthyThreshold: 100, initialState: Unhealthy",
])("{%s} is accepted", (text) => {
  expect(check(text)).toEqual([]);
});

test.each([
  ["type: UDP", ["type: must be HTTP or TCP or GRPC"]],
  ["type: GRPC, path: /a", ["path: goes with type: HTTP only"]],
  ["type: GRPC, service: ''", ["service: write 1 to 256 visible ASCII characters"]],
  ["type: GRPC, service: a b", ["service: write 1 to 256 visible ASCII characters"]],
  ["type: TCP, service: a", ["service: goes with type: GRPC only"]],
  [
    "type: TCP, path: /a, host: a.test, expectedStatuses: [200]",
    ["path: goes with", "host: goes", "expectedStatuses: goes"],
  ],
  ["path: healthz", ["path: "]],
  ["path: /a/../b", ["path: "]],
  ["host: 10.0.0.1", ["host: must be a name"]],
  ["expectedStatuses: []", ["expectedStatuses: "]],
  ["expectedStatuses: [199]", ["expectedStatuses[0]: write a status"]],
  ["expectedStatuses: [600]", ["expectedStatuses[0]: write a status"]],
  ["expectedStatuses: [2xx]", ["expectedStatuses[0]: write a status"]],
  ["expectedStatuses: [299-200]", ["expectedStatuses[0]: write a status"]],
  ["expectedStatuses: [200, 302]", ["expectedStatuses[1]: may not hold 300 to 399"]],
  ["expectedStatuses: [200-300]", ["expectedStatuses[0]: may not hold 300 to 399"]],
  ["expectedStatuses: [399-404]", ["expectedStatuses[0]: may not hold 300 to 399"]],
  ["expectedStatuses: [200-599]", ["expectedStatuses[0]: may not hold 300 to 399"]],
  ["interval: 999ms", ["interval: must be from 1s to 1h"]],
  ["interval: 0s", ["interval: must be from 1s to 1h"]],
  ["timeout: 99ms", ["timeout: must be from 100ms to 10s"]],
  ["interval: 2s, timeout: 3s", ["timeout: may not exceed interval"]],
  ["interval: 2s, jitter: 3s", ["jitter: may not exceed interval"]],
  ["healthyThreshold: 0", ["healthyThreshold: must be at least 1"]],
  ["unhealthyThreshold: 101", ["unhealthyThreshold: must be at most 100"]],
  ["initialState: Sick", ["initialState: must be Healthy or Unhealthy"]],
])("{%s} is refused", (text, expected) => {
  const refusals = check(text);
  expect(refusals).toEqual(expected.map((part) => expect.stringContaining(part)));
});

test.each([
  [
    "{targetRefs: [{kind: HTTPRoute, group: gateway.networking.k8s.io, name: a}], healthCheck: {}}",
    "healthCheck: goes with targets of kind Service only",
  ],
  [
    "{targetRefs: [{kind: Service, name: a}], subsets: [{name: v1, labels: {a: b}, healthCheck: {}}]}",
    "healthCheck",
  ],
])("%s is refused", (spec, expected) => {
  expect(refusalsOf(spec).join("\n")).toContain(expected);
});

import { describe, expect, test } from "vitest";
import { notesOf, problemsOf, specsOf } from "./translated.ts";

const PARENTS = [{ group: "", kind: "Service", name: "web" }];
const POLICY = "TrafficPolicy consul.web";

function entries(...list: readonly string[]): string {
  return list.join("\n---\n");
}

function caller(name: string, override: string): string {
  return `{Kind: service-defaults, Name: ${name}, UpstreamConfig: {Overrides: [{Name: web, ${override}}]}}`;
}

describe("what callers say of a service", () => {
  test.each<[override: string, policy: object | undefined]>([
    ["", undefined],
    ["ConnectTimeoutMs: 1500", { timeouts: { connect: "1s500ms" } }],
    [
      "Limits: {MaxConnections: 5, MaxPendingRequests: 0}",
      { concurrency: { maxRequests: 5, maxPendingRequests: 0 } },
    ],
    [
      "Limits: {MaxConcurrentRequests: 7, MaxConnections: 9, MaxPendingRequests: 3}",
      { concurrency: { maxRequests: 7, maxPendingRequests: 0 } },
    ],
    ["PassiveHealthCheck: {}", { outlierDetection: {}, panicThreshold: 0 }],
    [
      "PassiveHealthCheck: {Interval: 5s, MaxFailures: 3, EnforcingConsecutive5xx: 100, MaxEjectionPercent: 0, BaseEjectionTime: 1m}",
      {
        outlierDetection: {
          interval: "5s",
          consecutive5xxErrors: 3,
          maxEjectionPercent: 0,
          baseEjectionTime: "1m",
        },
        panicThreshold: 0,
      },
    ],
    [
      "PassiveHealthCheck: {MaxFailures: 3, EnforcingConsecutive5xx: 0}",
      { outlierDetection: { consecutive5xxErrors: 0 }, panicThreshold: 0 },
    ],
    ["PassiveHealthCheck: {MaxFailures: 0}", { outlierDetection: {}, panicThreshold: 0 }],
  ])("%s", (override, policy) => {
    expect(specsOf(caller("api", override))).toEqual(
      policy === undefined ? {} : { [POLICY]: { targetRefs: PARENTS, ...policy } },
    );
  });

  test("goes with what the service's own entries say, before them", () => {
    const resolver = "{Kind: service-resolver, Name: web, ConnectTimeout: 9s, RequestTimeout: 3s}";
    const yaml = entries(resolver, caller("api", "ConnectTimeoutMs: 2000, Limits: {MaxConnections: 5}"));
    expect(specsOf(yaml)[POLICY]).toEqual({
      targetRefs: PARENTS,
      timeouts: { connect: "2s", request: "3s" },
      concurrency: { maxRequests: 5 },
    });
  });

  test("must be the same of all, and holds for all", () => {
    const five = "Limits: {MaxConnections: 5}";
    expect(notesOf(entries(caller("b", five), caller("a", five)))).toEqual([
      "Consul shop/web: spec.upstreamConfig: what a, b say of web holds for every caller",
    ]);
    expect(problemsOf(entries(caller("b", five), caller("a", "Limits: {MaxConnections: 6}")))).toEqual([
      "Consul shop/web: spec.upstreamConfig: a, b say different things of web: its policy is one, whoever calls",
    ]);
  });

  test("is about its own namespace only", () => {
    expect(problemsOf(caller("api", "Namespace: other, Limits: {MaxConnections: 5}"))).toEqual([
      "Consul shop/api: spec.upstreamConfig.overrides[0].namespace: web has its policy in its own namespace: write a TrafficPolicy there",
    ]);
  });

  test("has no say in the platform's connections", () => {
    expect(
      notesOf(caller("api", "MeshGateway: {Mode: local}, Protocol: http")).map((note) => note.split(": ")[1]),
    ).toEqual([
      "spec.upstreamConfig.overrides[0].protocol",
      "spec.upstreamConfig.overrides[0].meshGateway",
      "spec.upstreamConfig",
    ]);
  });
});

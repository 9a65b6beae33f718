import { describe, expect, test } from "vitest";
import { outlierOrder } from "../../shared/compile/check-plan.ts";
import { compileUnit } from "../../shared/compile/compile.ts";
import { compileCircuit, compileOutlier } from "../../shared/compile/resilience.ts";
import { servicesOf } from "../../shared/compile/status.ts";
import { dropRunOut, setOutliers, setRegistered, type World } from "../../shared/compile/world.ts";
import { circuitBreaker, outlierDetection } from "../../shared/wire/resources/resilience.ts";
import { worldOf } from "./worlds.ts";

const MEMBERS = `
{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {selector: {app: a}}}
---
{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: a1, labels: {app: a}}, spec: {address: "https://a1.example"}}
---
{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: a2, labels: {app: a}}, spec: {address: "https://a2.example"}}
`;

const POLICY = `{apiVersion: selvedge.dev/v1, kind: TrafficPolicy, metadata: {name: p}, spec: {targetRefs: [{kind: Service, name: a}], outlierDetection: {}}}`;

const DEFAULTS = {
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectedRatio: 0.1,
  consecutive5xx: 5,
  consecutiveGatewayErrors: null,
  consecutiveLocalFailures: 5,
  splitsLocalFailures: false,
  successRate: { minEndpoints: 5, minVolume: 100, stdevFactor: 1.9 },
  failurePercentage: null,
};

describe("outlier detection", () => {
  test("is filled in with Envoy's defaults", () => {
    expect(compileOutlier(outlierDetection.parse({}))).toEqual(DEFAULTS);
    expect(compileOutlier(outlierDetection.parse({ failurePercentage: {} }))).toEqual({
      ...DEFAULTS,
      failurePercentage: { threshold: 85, minEndpoints: 5, minVolume: 50 },
    });
  });

  test("is read field by field", () => {
    const spec = {
      interval: "5s",
      baseEjectionTime: "10m",
      maxEjectionPercent: 50,
      consecutive5xxErrors: 0,
      consecutiveGatewayErrors: 3,
      consecutiveLocalOriginFailures: 7,
      splitExternalLocalOriginErrors: true,
      successRate: { minimumEndpoints: 3, requestVolume: 20, stdevFactor: 1.5 },
      failurePercentage: { threshold: 60, minimumEndpoints: 2, requestVolume: 10 },
    };
    expect(compileOutlier(outlierDetection.parse(spec))).toEqual({
      intervalMs: 5_000,
      baseEjectionMs: 600_000,
      // The base where that is longer.
      maxEjectionMs: 600_000,
      maxEjectedRatio: 0.5,
      consecutive5xx: null,
      consecutiveGatewayErrors: 3,
      consecutiveLocalFailures: 7,
      splitsLocalFailures: true,
      successRate: { minEndpoints: 3, minVolume: 20, stdevFactor: 1.5 },
      failurePercentage: { threshold: 60, minEndpoints: 2, minVolume: 10 },
    });
    expect(compileOutlier(outlierDetection.parse({ successRate: false })).successRate).toBeNull();
  });
});

test("a circuit breaker is filled in, and read field by field", () => {
  expect(compileCircuit(circuitBreaker.parse({}))).toEqual({
    failuresToOpen: 5,
    openForMs: 5_000,
    maxOpenForMs: 60_000,
    jitter: 0.5,
    rejects: true,
  });
  const spec = {
    consecutiveFailures: 3,
    failureRatio: { percent: 20, window: "30s", minimumCalls: 50 },
    openFor: "1s",
    maxOpenFor: "10s",
    jitterPercent: 0,
    rejects: false,
  };
  expect(compileCircuit(circuitBreaker.parse(spec))).toEqual({
    failuresToOpen: 3,
    failureRatio: { ratio: 0.2, windowMs: 30_000, minCalls: 50 },
    openForMs: 1_000,
    maxOpenForMs: 10_000,
    jitter: 0,
    rejects: false,
  });
});

describe("the order to pool", () => {
  const ordered = `${MEMBERS}\n---\n${POLICY}`;

  test("has the policy and every endpoint", () => {
    const world = worldOf(ordered);
    expect(outlierOrder(world, "shop/a")).toEqual({ policy: DEFAULTS, endpoints: ["a1", "a2"] });
    const registered = { address: "https://r.example", labels: {}, weight: 1, isJoined: false };
    setRegistered(world, "shop/a", [{ id: "r", ...registered, health: "draining", serviceAccount: null }]);
    expect(outlierOrder(world, "shop/a")?.endpoints).toEqual(["a1", "a2", "r"]);
  });

  test.each([
    ["without outlier detection", MEMBERS, "shop/a"],
    ["for a service that does not exist", ordered, "shop/b"],
    [
      "without endpoints",
      `{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {}}\n---\n${POLICY}`,
      "shop/a",
    ],
  ])("there is none %s", (_name, yaml, service) => {
    expect(outlierOrder(worldOf(yaml), service)).toBeNull();
  });
});

function untils(world: World): unknown {
  const unit = compileUnit(world, "service:shop/a");
  return unit?.kind === "service" ? unit.endpoints.map(({ ejectedUntil }) => ejectedUntil) : null;
}

describe("ejections", () => {
  const ejections = [
    { endpoint: "a1", until: 1_000 },
    { endpoint: "gone", until: 1_000 },
    { endpoint: "a2", until: 2_000 },
  ];

  test("go to hosts with the end of their time, and are replaced as a whole", () => {
    const world = worldOf(MEMBERS);
    expect([...setOutliers(world, "shop/a", ejections)]).toEqual(["service:shop/a"]);
    expect(untils(world)).toEqual([1_000, 2_000]);
    setOutliers(world, "shop/a", ejections.slice(2));
    expect(untils(world)).toEqual([undefined, 2_000]);
    setOutliers(world, "shop/a", []);
    expect(untils(world)).toEqual([undefined, undefined]);
  });

  test("are told as such until their time is over", () => {
    const world = worldOf(MEMBERS);
    setOutliers(world, "shop/a", ejections);
    const out = (now: number) =>
      servicesOf(world, "shop", now)[0]?.endpoints.map(({ isEjected }) => isEjected);
    expect([out(999), out(1_000), out(2_000)]).toEqual([
      [true, true],
      [false, true],
      [false, false],
    ]);
  });

  test("that ran out are dropped from what is compiled next, and only from that", () => {
    const world = worldOf(MEMBERS);
    setOutliers(world, "shop/a", ejections);
    dropRunOut(world, ["service:shop/b", "directory", "workload:shop/a1"], 1_000);
    expect(untils(world)).toEqual([1_000, 2_000]);
    dropRunOut(world, ["service:shop/a"], 999);
    expect(untils(world)).toEqual([1_000, 2_000]);
    dropRunOut(world, ["service:shop/a"], 1_000);
    expect(untils(world)).toEqual([undefined, 2_000]);
    dropRunOut(world, ["service:shop/a"], 2_000);
    expect(untils(world)).toEqual([undefined, undefined]);
  });
});

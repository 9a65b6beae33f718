import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { compileUnit } from "../../shared/compile/compile.ts";
import { compileTraffic, DEFAULT_TRAFFIC, retryOf, timeoutsOf } from "../../shared/compile/traffic.ts";
import { httpRouteSpec, type HttpRule } from "../../shared/wire/resources/http-route.ts";
import { trafficPolicySpec } from "../../shared/wire/resources/traffic-policy.ts";
import { worldOf } from "./worlds.ts";

function service(name: string): string {
  return `{apiVersion: v1, kind: Service, metadata: {name: ${name}}, spec: {}}`;
}

function policy(name: string, targets: string, panic: number): string {
  return `{apiVersion: selvedge.dev/v1, kind: TrafficPolicy, metadata: {name: ${name}}, spec: {targetRefs: [${targets}], panicThreshold: ${panic}}}`;
}

describe("a TrafficPolicy", () => {
  test.each([
    ["", DEFAULT_TRAFFIC],
    ["loadBalancer: {type: RoundRobin}", { ...DEFAULT_TRAFFIC, loadBalancing: { kind: "round-robin" } }],
    [
      "loadBalancer: {choiceCount: 4}",
      { ...DEFAULT_TRAFFIC, loadBalancing: { kind: "least-request", choices: 4 } },
    ],
    ["timeouts: {request: 0s}", { ...DEFAULT_TRAFFIC, timeouts: {} }],
    [
      "timeouts: {request: 3s, perTry: 1s}",
      { ...DEFAULT_TRAFFIC, timeouts: { requestMs: 3000, perTryMs: 1000 } },
    ],
    ["timeouts: {perTry: 1s}", { ...DEFAULT_TRAFFIC, timeouts: { requestMs: 15_000, perTryMs: 1000 } }],
    ["timeouts: {perTry: 1m}", { ...DEFAULT_TRAFFIC, timeouts: { requestMs: 60_000, perTryMs: 60_000 } }],
    [
      "circuitBreaker: {openFor: 1s}",
      { ...DEFAULT_TRAFFIC, circuit: { failuresToOpen: 5, openForMs: 1000, rejects: true } },
    ],
    [
      "circuitBreaker: {consecutiveFailures: 2}",
      { ...DEFAULT_TRAFFIC, circuit: { failuresToOpen: 2, openForMs: 5000, rejects: true } },
    ],
    ["panicThreshold: 0", { ...DEFAULT_TRAFFIC, panicRatio: 0 }],
    ["retry: {attempts: 0}", { ...DEFAULT_TRAFFIC, retry: { ...DEFAULT_TRAFFIC.retry, retries: 0 } }],
    [
      "retry: {backoff: {base: 100ms}}",
      { ...DEFAULT_TRAFFIC, retry: { ...DEFAULT_TRAFFIC.retry, backoff: { baseMs: 100, maxMs: 1000 } } },
    ],
    [
      "retry: {backoff: {max: 10ms}}",
      { ...DEFAULT_TRAFFIC, retry: { ...DEFAULT_TRAFFIC.retry, backoff: { baseMs: 10, maxMs: 10 } } },
    ],
    [
      "retry: {attempts: 5, retryOn: [5xx], statusCodes: [429], anyMethod: true, budget: {percent: 50, minConcurrent: 0}}",
      {
        ...DEFAULT_TRAFFIC,
        retry: {
          retries: 5,
          on: ["5xx"],
          statusCodes: [429],
          headers: [],
          backoff: { baseMs: 25, maxMs: 250 },
          anyMethod: true,
          budget: { ratio: 0.5, minConcurrent: 0 },
        },
      },
    ],
  ])("with {%s}", (yaml, expected) => {
    const spec = parse(`{targetRefs: [{kind: Service, name: a}], ${yaml}}`) as unknown;
    expect(compileTraffic(trafficPolicySpec.parse(spec))).toEqual(expected);
  });

  test("is in force for its targets unless an older one is", () => {
    const world = worldOf(
      [
        service("a"),
        service("b"),
        service("c"),
        policy("older", "{kind: Service, name: a}", 10),
        policy("newer", "{kind: Service, name: a}, {kind: Service, name: b}", 20),
      ].join("\n---\n"),
    );
    const panicRatios = ["a", "b", "c"].map((name) => {
      const unit = compileUnit(world, `service:shop/${name}`);
      return unit?.kind === "service" ? unit.traffic.panicRatio : null;
    });
    expect(panicRatios).toEqual([0.1, 0.2, 0.5]);
  });
});

/** The only rule of a route. */
function ruleOf(yaml: string): HttpRule {
  const [rule] = httpRouteSpec.parse({ rules: [parse(`{${yaml}}`)] }).rules;
  if (rule === undefined) throw new Error("there is no rule");
  return rule;
}

describe("a rule's own", () => {
  test.each([
    ["", undefined],
    ["timeouts: {request: 2s}", { requestMs: 2000 }],
    ["timeouts: {request: 0s}", {}],
    ["timeouts: {request: 0s, backendRequest: 5s}", { perTryMs: 5000 }],
    ["timeouts: {backendRequest: 5s}", { requestMs: 15_000, perTryMs: 5000 }],
    ["timeouts: {request: 2s, backendRequest: 0s}", { requestMs: 2000 }],
  ])("time-outs with {%s}", (yaml, expected) => {
    expect(timeoutsOf(ruleOf(yaml))).toEqual(expected);
  });

  const retry = {
    retries: 2,
    on: ["connect-failure", "reset", "timeout"],
    statusCodes: [],
    headers: [],
    backoff: { baseMs: 25, maxMs: 250 },
    anyMethod: false,
    budget: { ratio: 0.2, minConcurrent: 3 },
  };
  test.each([
    ["", undefined],
    ["retry: {}", retry],
    ["retry: {attempts: 0}", { ...retry, retries: 0 }],
    [
      "retry: {attempts: 3, codes: [500, 503], backoff: 100ms}",
      { ...retry, retries: 3, statusCodes: [500, 503], backoff: { baseMs: 100, maxMs: 1000 } },
    ],
    ["retry: {backoff: 0s}", { ...retry, backoff: { baseMs: 0, maxMs: 0 } }],
  ])("retries with {%s}", (yaml, expected) => {
    expect(retryOf(ruleOf(yaml))).toEqual(expected);
  });
});

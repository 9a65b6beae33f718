import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { setRegistered } from "../../shared/compile/world.ts";
import { compileUnit, references } from "../../shared/compile/compile.ts";
import {
  compileTraffic,
  DEFAULT_TRAFFIC,
  priorityOf,
  retryOf,
  stickyOf,
  timeoutsOf,
} from "../../shared/compile/traffic.ts";
import type { LoadBalancing } from "../../shared/engine/balance.ts";
import type { ServiceUnit, TrafficPolicy } from "../../shared/engine/snapshot.ts";
import { httpRouteSpec, type HttpRule } from "../../shared/wire/resources/http-route.ts";
import { trafficPolicySpec } from "../../shared/wire/resources/traffic-policy.ts";
import { worldOf } from "./worlds.ts";

function service(name: string): string {
  return `{apiVersion: v1, kind: Service, metadata: {name: ${name}}, spec: {}}`;
}

function policy(name: string, targets: string, panic: number): string {
  return `{apiVersion: selvedge.dev/v1, kind: TrafficPolicy, metadata: {name: ${name}}, spec: {targetRefs: [${targets}], panicThreshold: ${panic}}}`;
}

function balanced(loadBalancing: LoadBalancing): TrafficPolicy {
  return { ...DEFAULT_TRAFFIC, loadBalancing };
}

const MEMBERS = `
{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {selector: {app: a}}}
---
{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: a1, labels: {app: a, version: v1}}, spec: {address: "binding:A1"}}
---
{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: a2, labels: {app: a, version: v2}}, spec: {address: "binding:A2"}}
`;

/** Service \`a\` with two endpoints and a policy, and what it compiles to. */
function compiledWith(spec: string): ServiceUnit {
  const policy = `{apiVersion: selvedge.dev/v1, kind: TrafficPolicy, metadata: {name: p}, spec: {targetRefs: [{kind: Service, name: a}], ${spec}}}`;
  const unit = compileUnit(worldOf(`${MEMBERS}\n---\n${policy}`), "service:shop/a");
  if (unit?.kind !== "service") throw new Error("there is no service");
  return unit;
}

describe("subsets", () => {
  test("have the endpoints with their labels, and override field by field", () => {
    const { traffic, subsets } = compiledWith(
      `loadBalancer: {type: Random}, slowStart: {window: 10s}, panicThreshold: 20, subsets: [
        {name: v1, labels: {version: v1}},
        {name: v2, labels: {app: a, version: v2}, panicThreshold: 70, loadBalancer: {type: RoundRobin}},
        {name: hashed, labels: {app: a}, loadBalancer: {type: Maglev, hashKey: [{type: Caller}]}},
        {name: none, labels: {version: v3}}]`,
    );
    const slowStart = { windowMs: 10_000, minShare: 0.1, aggression: 1 };
    const maglev = { kind: "maglev", key: [{ kind: "caller" }], tableSize: 65_537 };
    expect(traffic).toEqual({
      ...DEFAULT_TRAFFIC,
      loadBalancing: { kind: "random", slowStart },
      panicRatio: 0.2,
    });
    expect(subsets).toEqual({
      v1: { endpoints: ["a1"], traffic },
      v2: {
        endpoints: ["a2"],
        traffic: { ...traffic, loadBalancing: { kind: "round-robin", slowStart }, panicRatio: 0.7 },
      },
      hashed: { endpoints: ["a1", "a2"], traffic: { ...traffic, loadBalancing: maglev } },
      none: { endpoints: [], traffic },
    });
  });

  test.each([
    ["", []],
    ["slowStart: {window: 10s}", [1, 2]],
    ["subsets: [{name: v1, labels: {version: v1}, slowStart: {window: 10s}}]", [1, 2]],
  ])("endpoints tell their age for a slow start only: {%s}", (spec, seconds) => {
    const since = compiledWith(spec).endpoints.flatMap((endpoint) => endpoint.since ?? []);
    expect(since).toEqual(seconds.map((second) => Date.UTC(2026, 0, 1, 0, 0, second)));
  });
});

test("a registered endpoint is as old as it was told to be", () => {
  const policy = `{apiVersion: selvedge.dev/v1, kind: TrafficPolicy, metadata: {name: p}, spec: {
    targetRefs: [{kind: Service, name: b}], slowStart: {window: 10s}}}`;
  const world = worldOf(`${service("b")}\n---\n${policy}`);
  const registered = {
    labels: {},
    weight: 1,
    health: "healthy",
    isJoined: false,
    serviceAccount: null,
  } as const;
  setRegistered(world, "shop/b", [
    { ...registered, id: "b1", address: "https://b1.example", since: 1000 },
    { ...registered, id: "b2", address: "https://b2.example" },
  ]);
  const unit = compileUnit(world, "service:shop/b");
  const ages = unit?.kind === "service" ? unit.endpoints.map(({ id, since }) => [id, since]) : [];
  expect(ages).toEqual([
    ["b1", 1000],
    ["b2", undefined],
  ]);
});

function split(name: string, route: string, key: string): string {
  return `{apiVersion: selvedge.dev/v1, kind: TrafficPolicy, metadata: {name: ${name}}, spec: {
    targetRefs: [{kind: HTTPRoute, group: gateway.networking.k8s.io, name: ${route}}], split: {stickyBy: ${key}}}}`;
}

test("a route is sticky by the oldest policy that targets it", () => {
  const world = worldOf(
    [
      split("p1", "a", "{type: Cookie, name: c}"),
      split("p2", "a", "{type: Caller}"),
      split("p3", "b", "{type: Claim, name: sub}"),
    ].join("\n---\n"),
  );
  expect(["a", "b", "c"].map((name) => stickyOf(world, `shop/${name}`))).toEqual([
    { kind: "cookie", name: "c" },
    { kind: "claim", name: "sub" },
    undefined,
  ]);
});

function level(name: string, target: string, value: string): string {
  return `{apiVersion: selvedge.dev/v1, kind: TrafficPolicy, metadata: {name: ${name}}, spec: {
    targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, ${target}}], pathNormalization: ${value}}}`;
}

function gateway(name: string): string {
  return `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: ${name}}, spec: {gatewayClassName: x,
    listeners: [{name: a, port: 80, protocol: HTTP}, {name: b, port: 81, protocol: HTTP}]}}`;
}

test("a listener's own path level goes before its gateway's", () => {
  const documents = [
    gateway("one"),
    gateway("two"),
    level("p1", "name: one", "MergeSlashes"),
    level("p2", "name: one, sectionName: b", "None"),
    level("p3", "name: one", "Base"),
  ];
  const unit = compileUnit(worldOf(documents.join("\n---\n")), "directory");
  const levels = unit?.kind === "directory" ? unit.listeners.map(({ id, pathLevel }) => [id, pathLevel]) : [];
  expect(levels).toEqual([
    ["shop/one/a", "merge-slashes"],
    ["shop/one/b", "none"],
    ["shop/two/a", undefined],
    ["shop/two/b", undefined],
  ]);
});

/** What an empty circuit breaker means. */
const BREAKER = { failuresToOpen: 5, openForMs: 5000, maxOpenForMs: 60_000, jitter: 0.5, rejects: true };

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
    ["circuitBreaker: {openFor: 1s}", { ...DEFAULT_TRAFFIC, circuit: { ...BREAKER, openForMs: 1000 } }],
    [
      "circuitBreaker: {consecutiveFailures: 2}",
      { ...DEFAULT_TRAFFIC, circuit: { ...BREAKER, failuresToOpen: 2 } },
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
      "retry: {attempts: 5, retryOn: [5xx], statusCodes: [429], anyMethod: true, budget: {percent: 50, minPerSecond: 0, window: 5s}}",
      {
        ...DEFAULT_TRAFFIC,
        retry: {
          retries: 5,
          on: ["5xx"],
          statusCodes: [429],
          headers: [],
          backoff: { baseMs: 25, maxMs: 250 },
          anyMethod: true,
          budget: { ratio: 0.5, minPerSecond: 0, windowMs: 5_000 },
        },
      },
    ],
    ["loadBalancer: {type: Random}", balanced({ kind: "random" })],
    ["loadBalancer: {type: PeakEWMA}", balanced({ kind: "peak-ewma", decayMs: 10_000, defaultRttMs: 30 })],
    [
      "loadBalancer: {type: PeakEWMA, decay: 5s, defaultRtt: 1s}",
      balanced({ kind: "peak-ewma", decayMs: 5000, defaultRttMs: 1000 }),
    ],
    [
      "loadBalancer: {type: RingHash, hashKey: [{type: Header, name: X-User}, {type: SourceIP}]}",
      balanced({
        kind: "ring",
        key: [{ kind: "header", name: "x-user" }, { kind: "source-ip" }],
        minSize: 1024,
        maxSize: 65_536,
      }),
    ],
    [
      "loadBalancer: {type: Maglev, tableSize: 251, boundFactor: 125, hashKey: [{type: QueryParam, name: Q}, {type: Caller}, {type: Cookie, name: c, ttl: 1h, path: /a}]}",
      balanced({
        kind: "maglev",
        key: [{ kind: "query", name: "Q" }, { kind: "caller" }, { kind: "cookie", name: "c" }],
        boundFactor: 1.25,
        cookie: { name: "c", path: "/a", ttlMs: 3_600_000 },
        tableSize: 251,
      }),
    ],
    [
      "loadBalancer: {type: Maglev, hashKey: [{type: Cookie, name: c, ttl: 0s}]}",
      balanced({
        kind: "maglev",
        key: [{ kind: "cookie", name: "c" }],
        cookie: { name: "c", path: "/", ttlMs: 0 },
        tableSize: 65_537,
      }),
    ],
    [
      "slowStart: {window: 1m}",
      balanced({
        kind: "least-request",
        choices: 2,
        slowStart: { windowMs: 60_000, minShare: 0.1, aggression: 1 },
      }),
    ],
    [
      "loadBalancer: {type: RoundRobin}, slowStart: {window: 10s, minimumPercent: 20, aggression: 2}",
      balanced({ kind: "round-robin", slowStart: { windowMs: 10_000, minShare: 0.2, aggression: 2 } }),
    ],
    [
      "timeouts: {request: 5s, connect: 1s, idle: 1m}",
      { ...DEFAULT_TRAFFIC, timeouts: { requestMs: 5000, connectMs: 1000, idleMs: 60_000 } },
    ],
    ["hedging: {after: 50ms}", { ...DEFAULT_TRAFFIC, hedge: { afterMs: 50, max: 1 } }],
    [
      "hedging: {quantile: 95, after: 5ms, max: 2}",
      { ...DEFAULT_TRAFFIC, hedge: { afterMs: 5, quantile: 0.95, max: 2 } },
    ],
    [
      "sessionPersistence: {}",
      {
        ...DEFAULT_TRAFFIC,
        affinity: { kind: "cookie", name: "selvedge-session", lifetime: "session", path: "/" },
      },
    ],
    [
      "sessionPersistence: {sessionName: S, absoluteTimeout: 1h, cookieConfig: {lifetimeType: Permanent, path: /a}}",
      {
        ...DEFAULT_TRAFFIC,
        affinity: {
          kind: "cookie",
          name: "S",
          absoluteTimeoutMs: 3_600_000,
          lifetime: "permanent",
          path: "/a",
        },
      },
    ],
    [
      "sessionPersistence: {sessionName: X-S, type: Header}",
      { ...DEFAULT_TRAFFIC, affinity: { kind: "header", name: "x-s", lifetime: "session", path: "/" } },
    ],
    [
      "retry: {retryOn: [retriable-headers, rate-limited, unavailable], retriableHeaders: [X-Again]}",
      {
        ...DEFAULT_TRAFFIC,
        retry: {
          ...DEFAULT_TRAFFIC.retry,
          on: ["retriable-headers", "rate-limited", "unavailable"],
          headers: ["x-again"],
        },
      },
    ],
  ])("with {%s}", (yaml, expected) => {
    const spec = parse(`{targetRefs: [{kind: Service, name: a}], ${yaml}}`) as unknown;
    expect(compileTraffic(trafficPolicySpec.parse(spec), "shop")).toEqual(expected);
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
    budget: { ratio: 0.2, minPerSecond: 10, windowMs: 10_000 },
  };
  test.each([
    ["", undefined],
    ["retry: {}", retry],
    ["retry: {attempts: 0}", { ...retry, retries: 0 }],
    [
      "retry: {attempts: 3, codes: [500, 503], backoff: 100ms}",
      {
        ...retry,
        retries: 3,
        statusCodes: [500, 503],
        backoff: { baseMs: 200, maxMs: 1000, minMs: 100 },
      },
    ],
    ["retry: {backoff: 0s}", { ...retry, backoff: { baseMs: 0, maxMs: 0, minMs: 0 } }],
  ])("retries with {%s}", (yaml, expected) => {
    expect(retryOf(ruleOf(yaml))).toEqual(expected);
  });
});

test("a route has the priority of the oldest policy that says one", () => {
  const group = "gateway.networking.k8s.io";
  const prioritized = (name: string, route: string, field: string) =>
    `{apiVersion: selvedge.dev/v1, kind: TrafficPolicy, metadata: {name: ${name}}, spec: {
      targetRefs: [{kind: HTTPRoute, group: ${group}, name: ${route}}], ${field}}}`;
  const world = worldOf(
    [
      prioritized("p1", "a", "split: {stickyBy: {type: Caller}}"),
      prioritized("p2", "a", "priority: Low"),
      prioritized("p3", "a", "priority: High"),
      prioritized("p4", "b", "priority: Default"),
    ].join("\n---\n"),
  );
  expect(["a", "b", "c"].map((name) => priorityOf(world, `shop/${name}`))).toEqual([
    "low",
    "default",
    undefined,
  ]);
});

test("overload protects the workloads of a service, those of other services not", () => {
  const world = worldOf(
    `${MEMBERS}
---
{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: b1, labels: {app: b}}, spec: {address: "binding:B1"}}
---
{apiVersion: selvedge.dev/v1, kind: TrafficPolicy, metadata: {name: p}, spec: {
  targetRefs: [{kind: Service, name: a}], overload: {maxConcurrency: 50, bufferPercent: 10, percentile: 90}}}`,
  );
  const overload = {
    minConcurrency: 3,
    maxConcurrency: 50,
    updateEveryMs: 100,
    measureEveryMs: 60_000,
    measureCalls: 50,
    buffer: 0.1,
    percentile: 90,
  };
  const workloadOf = (name: string) => {
    const unit = compileUnit(world, `workload:shop/${name}`);
    return unit?.kind === "workload" ? unit.inbound.overload : null;
  };
  const unit = compileUnit(world, "service:shop/a");
  expect(["a1", "a2", "b1"].map(workloadOf)).toEqual([overload, overload, undefined]);
  expect(unit?.kind === "service" && unit.inbound).toEqual([expect.objectContaining({ overload })]);
});

test("a unit refers to the services that stand in for it or for its subsets", () => {
  const unit = compiledWith(
    `failover: [{service: b}, {service: c, namespace: other}],
     subsets: [{name: v1, labels: {version: v1}, failover: [{service: d, subset: x}, {service: b}]}]`,
  );
  expect(references(unit)).toEqual(["service:other/c", "service:shop/b", "service:shop/d"]);
});

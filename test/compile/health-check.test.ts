import { describe, expect, test } from "vitest";
import { checkPlan } from "../../shared/compile/check-plan.ts";
import { compileUnit } from "../../shared/compile/compile.ts";
import { compileCheck } from "../../shared/compile/health-check.ts";
import { servicesOf } from "../../shared/compile/status.ts";
import { warnings } from "../../shared/compile/warnings.ts";
import { setChecked, setRegistered, type World } from "../../shared/compile/world.ts";
import { healthCheck } from "../../shared/wire/resources/health-check.ts";
import type { CheckedEndpoint } from "../../shared/wire/registry-rpc.ts";
import { worldOf } from "./worlds.ts";

const MEMBERS = `
{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {selector: {app: a}}}
---
{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: a1, labels: {app: a}}, spec: {address: "binding:A1"}}
---
{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: a2, labels: {app: a}}, spec: {address: "http://a2.example"}}
`;

function policy(check: string): string {
  return `{apiVersion: selvedge.dev/v1, kind: TrafficPolicy, metadata: {name: p}, spec: {targetRefs: [{kind: Service, name: a}], ${check}}}`;
}

const checked = (check: string) => worldOf(`${MEMBERS}\n---\n${policy(`healthCheck: {${check}}`)}`);

const TLS = `{apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: tls}, spec: {targetRefs: [{group: "", kind: Service, name: a}], validation: {hostname: a2.example, wellKnownCACertificates: System}}}`;

const DEFAULTS = {
  probe: { kind: "http", path: "/", host: null, statuses: [{ first: 200, last: 299 }] },
  intervalMs: 10_000,
  jitterMs: 1_000,
  timeoutMs: 1_000,
  healthyThreshold: 2,
  unhealthyThreshold: 3,
  initial: "healthy",
};

test("a check is filled in with defaults", () => {
  expect(compileCheck(undefined)).toBeNull();
  expect(compileCheck(healthCheck.parse({}))).toEqual(DEFAULTS);
});

test("a check is read field by field", () => {
  const spec = {
    path: "/healthz",
    host: "a.test",
    expectedStatuses: [204, "400-499"],
    interval: "30s",
    jitter: "0s",
    timeout: "2s",
    healthyThreshold: 5,
    unhealthyThreshold: 7,
    initialState: "Unhealthy",
  };
  const statuses = [
    { first: 204, last: 204 },
    { first: 400, last: 499 },
  ];
  expect(compileCheck(healthCheck.parse(spec))).toEqual({
    probe: { kind: "http", path: "/healthz", host: "a.test", statuses },
    intervalMs: 30_000,
    jitterMs: 0,
    timeoutMs: 2_000,
    healthyThreshold: 5,
    unhealthyThreshold: 7,
    initial: "unhealthy",
  });
  expect(compileCheck(healthCheck.parse({ type: "TCP" }))).toEqual({ ...DEFAULTS, probe: { kind: "tcp" } });
  expect(compileCheck(healthCheck.parse({ type: "GRPC", service: "shop.v1.Cart" }))).toEqual({
    ...DEFAULTS,
    probe: { kind: "grpc", service: "shop.v1.Cart" },
  });
  expect(compileCheck(healthCheck.parse({ type: "GRPC" }))?.probe).toEqual({ kind: "grpc", service: "" });
});

describe("the plan", () => {
  const A1 = { id: "a1", address: { kind: "binding", name: "A1" } };
  const A2 = { id: "a2", address: { kind: "origin", url: "http://a2.example" } };

  test("has every endpoint, where calls reach it", () => {
    const world = checked("");
    expect(checkPlan(world, "shop/a")).toEqual({ check: DEFAULTS, targets: [A1, A2] });
    const registered = {
      id: "r",
      address: "https://r.example",
      labels: { app: "a" },
      weight: 1,
      health: "healthy",
    } as const;
    setRegistered(world, "shop/a", [{ ...registered, isJoined: false, serviceAccount: null }]);
    setRegistered(world, "shop/other", [{ ...registered, id: "o", isJoined: false, serviceAccount: null }]);
    expect(checkPlan(world, "shop/a")?.targets.map(({ id }) => id)).toEqual(["a1", "a2", "r"]);
  });

  test("reaches endpoints by TLS where calls do", () => {
    const world = worldOf(`${MEMBERS}\n---\n${policy("healthCheck: {}")}\n---\n${TLS}`);
    expect(checkPlan(world, "shop/a")?.targets[1]?.address).toEqual({
      kind: "origin",
      url: "https://a2.example",
    });
  });

  test.each(["TCP", "GRPC"])("leaves Workers out of %s checks", (type) => {
    expect(checkPlan(checked(`type: ${type}`), "shop/a")?.targets).toEqual([A2]);
  });

  test.each([
    ["no policy", MEMBERS],
    ["a policy without check", `${MEMBERS}\n---\n${policy("panicThreshold: 1")}`],
    [
      "no endpoint",
      `{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {}}\n---\n${policy("healthCheck: {}")}`,
    ],
    ["no service", policy("healthCheck: {}")],
  ])("is none with %s", (_name, yaml) => {
    expect(checkPlan(worldOf(yaml), "shop/a")).toBeNull();
  });
});

/** Id and health of the service's endpoints as hosts are told, which is what people are told. */
function healthIn(world: World): string[] {
  const unit = compileUnit(world, "service:shop/a");
  const told = unit?.kind === "service" ? unit.endpoints.map(({ id, health }) => `${id} ${health}`) : [];
  const status = servicesOf(world, "shop", 0)[0]?.endpoints.map(({ id, health }) => `${id} ${health}`);
  expect(status).toEqual(told);
  return told;
}

describe("verdicts", () => {
  test.each<[string, string, readonly CheckedEndpoint[], readonly string[]]>([
    ["none yet", "", [], ["a1 healthy", "a2 healthy"]],
    ["none yet, and no trust", "initialState: Unhealthy", [], ["a1 unhealthy", "a2 unhealthy"]],
    ["one is ill", "", [{ id: "a2", health: "unhealthy" }], ["a1 healthy", "a2 unhealthy"]],
    [
      "one is known to be well",
      "initialState: Unhealthy",
      [{ id: "a2", health: "healthy" }],
      ["a1 unhealthy", "a2 healthy"],
    ],
    ["of one that is gone", "", [{ id: "gone", health: "unhealthy" }], ["a1 healthy", "a2 healthy"]],
    ["of a Worker, by a TCP check", "type: TCP, initialState: Unhealthy", [], ["a1 healthy", "a2 unhealthy"]],
  ])("%s", (_name, check, verdicts, expected) => {
    const world = checked(check);
    expect([...setChecked(world, "shop/a", verdicts)]).toEqual(["service:shop/a"]);
    expect(healthIn(world)).toEqual(expected);
  });

  test("count for nothing without a check", () => {
    const world = worldOf(MEMBERS);
    setChecked(world, "shop/a", [{ id: "a1", health: "unhealthy" }]);
    expect(healthIn(world)).toEqual(["a1 healthy", "a2 healthy"]);
  });

  test("do not make well what says itself that it is not", () => {
    const world = checked("");
    const registered = {
      id: "r",
      address: "https://r.example",
      labels: {},
      weight: 1,
      isJoined: false,
      serviceAccount: null,
    };
    setRegistered(world, "shop/a", [{ ...registered, health: "draining" }]);
    setChecked(world, "shop/a", [{ id: "r", health: "healthy" }]);
    expect(healthIn(world)).toEqual(["a1 healthy", "a2 healthy", "r draining"]);
  });

  test("an endpoint that is back is as new as its return, where there is a slow start", () => {
    const world = worldOf(`${MEMBERS}\n---\n${policy("healthCheck: {}, slowStart: {window: 10s}")}`);
    const since = Date.UTC(2026, 1, 1);
    setChecked(world, "shop/a", [{ id: "a2", health: "healthy", since }]);
    const unit = compileUnit(world, "service:shop/a");
    const ages = unit?.kind === "service" ? unit.endpoints.map((endpoint) => endpoint.since) : [];
    expect(ages).toEqual([Date.UTC(2026, 0, 1, 0, 0, 1), since]);
  });
});

test.each([
  ["", []],
  ["type: TCP", ["its healthCheck: TCP is not checked at a1, a Worker without ports: use HTTP"]],
  ["host: x.test", ["its healthCheck: host is not seen by a2: an origin sees that of its address"]],
])("a policy with healthCheck {%s} warns of what is not done", (check, expected) => {
  const ref = { apiVersion: "selvedge.dev/v1", kind: "TrafficPolicy", namespace: "shop", name: "p" };
  expect(warnings(checked(check), [ref])).toEqual(expected.map((text) => `TrafficPolicy shop/p: ${text}`));
});

test("many endpoints are warned of", () => {
  const world = checked("");
  const endpoints = Array.from({ length: 199 }, (_, index) => ({
    id: `r${index}`,
    address: `https://r${index}.example`,
    labels: {},
    weight: 1,
    health: "healthy" as const,
    isJoined: false,
    serviceAccount: null,
  }));
  setRegistered(world, "shop/a", endpoints);
  const ref = { apiVersion: "selvedge.dev/v1", kind: "TrafficPolicy", namespace: "shop", name: "p" };
  expect(warnings(world, [ref])).toEqual([
    "TrafficPolicy shop/p: its healthCheck: Service a has 201 endpoints, which are checked six at a time: rounds may be late",
  ]);
});

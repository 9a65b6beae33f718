import { expect, test } from "vitest";
import { compileUnit } from "../../shared/compile/compile.ts";
import { warnings } from "../../shared/compile/warnings.ts";
import type { World } from "../../shared/compile/world.ts";
import type { Fault } from "../../shared/engine/fault.ts";
import { worldOf } from "./worlds.ts";

const BASE = `
{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80}], selector: {app: a}}}
---
{apiVersion: v1, kind: Service, metadata: {name: b}, spec: {ports: [{port: 80}]}}
---
{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: a-1, labels: {app: a}}, spec: {address: "https://a.example.com"}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r}, spec: {
  parentRefs: [{kind: Service, group: "", name: b}],
  rules: [{backendRefs: [{name: a, port: 80}]}, {faults: [{delay: {fixed: 1s, percentage: 1}}], backendRefs: [{name: a, port: 80}]}]}}
`;

const TO_A = "{kind: Service, name: a}";
const TO_ROUTE = "{kind: HTTPRoute, group: gateway.networking.k8s.io, name: r}";

function policy(name: string, spec: string): string {
  return `{apiVersion: selvedge.dev/v1, kind: FaultPolicy, metadata: {name: ${name}}, spec: {${spec}}}`;
}

function meshWith(...documents: readonly string[]): World {
  return worldOf([BASE, ...documents].join("\n---\n"));
}

function inboundFaults(world: World, key: string): (readonly Fault[] | undefined)[] {
  const unit = compileUnit(world, key);
  if (unit?.kind === "workload") return [unit.inbound.faults];
  return unit?.kind === "service" ? unit.inbound.map(({ faults }) => faults) : [];
}

function routeFaults(world: World): (readonly Fault[] | undefined)[] {
  const unit = compileUnit(world, "service:shop/b");
  if (unit?.kind !== "service") throw new Error("there is no such service");
  return unit.routes.flatMap(({ routes }) => routes.actions.map(({ faults }) => faults));
}

test("a fault is compiled field by field, for the service and for the workload that answers", () => {
  const world = meshWith(
    policy(
      "p",
      `targetRefs: [${TO_A}], expiresAt: "2026-02-01T02:00:00+02:00", faults: [
        {match: {headers: [{name: X-Tester, type: RegularExpression, value: "j.*"}, {name: x-live, type: Present, invert: true}],
                 from: [{namespaces: [qa]}, {principals: ["cluster.local/ns/shop/sa/*"]}]},
         delay: {fixed: 2s, jitter: 500ms, percentage: 12.5}, abort: {httpStatus: 503, percentage: 100}},
        {abort: {grpcStatus: UNAVAILABLE, percentage: 0}}]`,
    ),
  );
  const expiresAt = Date.UTC(2026, 1, 1);
  const faults = [
    {
      policy: "shop/p",
      match: {
        headers: [
          { name: "x-tester", kind: "regex", value: "j.*" },
          { name: "x-live", kind: "present", value: "", isInverted: true },
        ],
        callers: [
          { namespaces: [{ kind: "exact", value: "qa" }] },
          { principals: [{ kind: "prefix", value: "mesh.test/ns/shop/sa/" }] },
        ],
      },
      delay: { fixedMs: 2_000, jitterMs: 500, share: 0.125 },
      abort: { status: 503, share: 1 },
      expiresAt,
    },
    {
      policy: "shop/p",
      match: { headers: [], callers: [] },
      abort: { status: 200, grpcStatus: 14, share: 0 },
      expiresAt,
    },
  ];
  expect(inboundFaults(world, "service:shop/a")).toEqual([faults]);
  expect(inboundFaults(world, "workload:shop/a-1")).toEqual([faults]);
  expect(inboundFaults(world, "service:shop/b")).toEqual([undefined]);
});

/** When a document of a test world came: they are a second apart. */
const created = (second: number) => Date.UTC(2026, 0, 1, 0, 0, second);

test("a policy at a route adds its faults to those of every rule", () => {
  const aborting = "faults: [{abort: {httpStatus: 500, percentage: 10}}]";
  const world = meshWith(
    policy("late", `targetRefs: [${TO_ROUTE}], expiresAfter: 30m, ${aborting}`),
    policy("early", `targetRefs: [${TO_ROUTE}, ${TO_A}], expiresAfter: 1h, ${aborting}`),
    policy("other", `targetRefs: [${TO_ROUTE.replace("name: r", "name: q")}], expiresAfter: 1h, ${aborting}`),
  );
  const summary = routeFaults(world).map((faults) => faults?.map((one) => [one.policy, one.expiresAt]));
  const policies = [
    ["shop/early", created(5) + 3_600_000],
    ["shop/late", created(4) + 1_800_000],
  ];
  expect(summary).toEqual([policies, [["shop/r", null], ...policies]]);
  expect(inboundFaults(world, "service:shop/a")[0]?.map((one) => one.policy)).toEqual(["shop/early"]);
});

test("targets that do not exist are warned of", () => {
  const world = meshWith(
    policy(
      "p",
      `targetRefs: [${TO_A}, {kind: Service, name: none}, {kind: HTTPRoute, group: gateway.networking.k8s.io, name: gone}],
       expiresAfter: 1h, faults: [{delay: {fixed: 1s, percentage: 1}}]`,
    ),
  );
  const ref = { apiVersion: "selvedge.dev/v1", kind: "FaultPolicy", namespace: "shop", name: "p" };
  expect(warnings(world, [ref])).toEqual([
    "FaultPolicy shop/p: its target Service none does not exist",
    "FaultPolicy shop/p: its target HTTPRoute gone does not exist",
  ]);
});

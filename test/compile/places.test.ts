import { expect, test } from "vitest";
import { compileUnit } from "../../shared/compile/compile.ts";
import { setRegistered } from "../../shared/compile/world.ts";
import { serviceKey } from "../../shared/engine/snapshot.ts";
import { worldOf } from "./worlds.ts";

const SERVICE =
  "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}";
const REGION = "topology.kubernetes.io/region";
const ZONE = "topology.kubernetes.io/zone";

function worldWith(...documents: readonly string[]) {
  return worldOf([SERVICE, ...documents].join("\n---\n"));
}

function placesIn(world: ReturnType<typeof worldOf>): readonly unknown[] {
  const unit = compileUnit(world, serviceKey("shop/web"));
  return unit?.kind === "service" ? unit.endpoints.map(({ locality }) => locality) : [];
}

test.each<[spec: string, labels: string, place: object | undefined]>([
  ["", "", undefined],
  [", locality: eu-west-1", "", { region: "eu-west-1", zone: "" }],
  [", locality: EU/FRA", "", { region: "EU", zone: "FRA" }],
  ["", `, ${REGION}: us, ${ZONE}: us-a`, { region: "us", zone: "us-a" }],
  ["", `, ${REGION}: us`, { region: "us", zone: "" }],
  // Zones are parts of regions: by itself one says nothing.
  ["", `, ${ZONE}: us-a`, undefined],
  [", locality: eu", `, ${REGION}: us, ${ZONE}: us-a`, { region: "eu", zone: "" }],
])("an Endpoint with {%s} and labels {%s} is at %o", (spec, labels, place) => {
  const endpoint = `{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: a, labels: {app: web${labels}}},
    spec: {address: "binding:A"${spec}}}`;
  expect(placesIn(worldWith(endpoint))).toEqual([place]);
});

test.each<[labels: string, zone: string, place: object | undefined]>([
  [`, ${REGION}: us`, "us-a", { region: "us", zone: "us-a" }],
  [`, ${REGION}: us`, "null", { region: "us", zone: "" }],
  ["", "us-a", undefined],
])("an EndpointSlice with labels {%s} and zone %s has its endpoint at %o", (labels, zone, place) => {
  const slice = `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: FQDN, ports: [{port: 80}],
    metadata: {name: a, labels: {kubernetes.io/service-name: web${labels}}},
    endpoints: [{addresses: [a.example.com], zone: ${zone}}]}`;
  expect(placesIn(worldWith(slice))).toEqual([place]);
});

test("an endpoint that registers itself may say it in both ways", () => {
  const world = worldWith();
  const registered = {
    address: "https://a.example",
    weight: 1,
    health: "healthy",
    isJoined: false,
    serviceAccount: null,
  } as const;
  const labels = { app: "web", [REGION]: "us" };
  setRegistered(world, "shop/web", [
    { ...registered, id: "a", labels },
    { ...registered, id: "b", labels, locality: { region: "eu", zone: "eu-a" } },
    { ...registered, id: "c", labels: { app: "web" } },
  ]);
  expect(placesIn(world)).toEqual([{ region: "us", zone: "" }, { region: "eu", zone: "eu-a" }, undefined]);
});

import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { createHost, meshOf } from "../../workers/library/host.ts";

const BOUND = { MESH: env.REGISTRY.getByName("library place test") };
const ctx = { waitUntil: () => undefined } as unknown as ExecutionContext;
const incoming = new Request("http://a.test/", {
  cf: { continent: "EU", colo: "FRA" } as RequestInitCfProperties,
});

test.each([
  ["as its options say", { locality: "us/us-a" }, { region: "us", zone: "us-a" }],
  ["as the platform says", {}, { region: "EU", zone: "FRA" }],
])("a joined Worker is %s", (_name, options, expected) => {
  const host = createHost({ workload: "shop/web", ...options });
  expect(meshOf(host, BOUND, { ctx, incoming })?.ports.locality()).toEqual(expected);
  // Outside of `fetch` there is no request: what was learned stays.
  expect(meshOf(host, BOUND, { ctx, incoming: null })?.ports.locality()).toEqual(expected);
});

test("a place that is none is told at once", () => {
  expect(() => createHost({ workload: "shop/web", locality: "somewhere else" })).toThrow(
    "write region or region/zone",
  );
});

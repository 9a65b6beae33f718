import { expect, test } from "vitest";
import { collectInbound } from "../../shared/compile/inbound.ts";
import type { Subject } from "../../shared/compile/policy.ts";
import { MAX_UNIT_BYTES } from "../../shared/compile/unit-size.ts";
import { worldOf } from "./worlds.ts";

/** A policy for the workloads with one label, of some 60 kB. */
function largePolicy(index: number): string {
  const paths = Array.from({ length: 64 }, (_, at) => `/${index}/${at}/${"x".repeat(900)}`);
  return JSON.stringify({
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: `p${index}` },
    spec: { selector: { matchLabels: { own: `${index}` } }, rules: [{ to: [{ operation: { paths } }] }] },
  });
}

const workload = (own: number): Subject => ({
  namespace: "shop",
  labels: { own: `${own}` },
  services: ["web"],
  endpoint: `e${own}`,
});

const world = worldOf(Array.from({ length: 40 }, (_, index) => largePolicy(index)).join("\n---\n"));

test("workloads that the same resources protect have one policy", () => {
  const inbound = collectInbound(world);
  const places = [1, 2, 1, 99, 2, 98].map((own) => inbound.indexOf(workload(own)));
  expect(places).toEqual([0, 1, 0, 2, 1, 2]);
  expect(inbound.policies).toHaveLength(3);
});

test("more policies than a unit may have are not made: what there is, is refused for its size", () => {
  const inbound = collectInbound(world);
  for (let own = 0; own < 40; own += 1) inbound.indexOf(workload(own));
  const { length } = JSON.stringify(inbound.policies);
  expect(length).toBeGreaterThan(MAX_UNIT_BYTES);
  expect(length).toBeLessThan(MAX_UNIT_BYTES + 100_000);
});

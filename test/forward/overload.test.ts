import { expect, test } from "vitest";
import type { OverloadPolicy } from "../../shared/engine/overload.ts";
import { enter } from "../../shared/forward/overload.ts";
import type { Stay, Visitor } from "../../shared/forward/overload.ts";
import type { Refusal } from "../../shared/forward/refusal.ts";
import { meshKit } from "../fakes/mesh-kit.ts";
import type { MeshKit } from "../fakes/mesh-kit.ts";

const POLICY: OverloadPolicy = {
  minConcurrency: 2,
  maxConcurrency: 10,
  updateEveryMs: 100,
  measureEveryMs: 60_000,
  measureCalls: 50,
  buffer: 0.25,
  percentile: 50,
};
const VISITOR: Visitor = { priority: "default", leftMs: null };

/** How many calls get in that do not end, and what the next one is told. */
function fill({ mesh }: MeshKit, visitor: Visitor): { stays: Stay[]; refusal: Refusal } {
  const stays: Stay[] = [];
  for (;;) {
    const stay = enter(mesh, POLICY, visitor);
    if (stay.kind === "refusal") return { stays, refusal: stay };
    stays.push(stay);
  }
}

test.each([
  ["low", 8],
  ["default", 9],
  ["high", 10],
] as const)("sheds calls of %s priority above %i of 10", (priority, expected) => {
  const { stays, refusal } = fill(meshKit(), { ...VISITOR, priority });
  expect([stays.length, refusal.problem.code, refusal.problem.retryAfterMs]).toEqual([
    expected,
    "overload.shed",
    1_000,
  ]);
});

test("an answered call makes room, once", () => {
  const kit = meshKit();
  const { stays } = fill(kit, VISITOR);
  stays[0]?.end();
  stays[0]?.end();
  expect(fill(kit, VISITOR).stays).toHaveLength(1);
});

test("a call whose caller has gone makes room, though its handler never ends", () => {
  const departure = new AbortController();
  const kit = meshKit({ departure: departure.signal });
  fill(kit, VISITOR);
  departure.abort();
  expect(fill(kit, VISITOR).stays).toHaveLength(9);
});

test("a call that never ends counts no longer than its time", async () => {
  const kit = meshKit();
  fill(kit, { ...VISITOR, leftMs: 500 });
  await kit.advance(499);
  expect(fill(kit, VISITOR).stays).toHaveLength(0);
  await kit.advance(1);
  expect(fill(kit, VISITOR).stays).toHaveLength(9);
});

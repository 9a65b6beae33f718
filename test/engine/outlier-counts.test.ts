import { expect, test } from "vitest";
import { count, merge, noCounts, type CallEnd } from "../../shared/engine/outlier-counts.ts";
import { oneOf, seeded } from "./random.ts";

const ENDS: readonly CallEnd[] = ["answer", "server-error", "gateway-error", "local-failure"];

test.each([true, false])("counts that are merged are those of all calls one by one (split: %s)", (splits) => {
  const policy = { splitsLocalFailures: splits };
  const random = seeded(3);
  for (let round = 0; round < 2_000; round++) {
    const all = noCounts();
    const merged = noCounts();
    for (let part = 0; part < 4; part++) {
      const own = noCounts();
      const calls = Math.floor(random() * 5);
      for (let call = 0; call < calls; call++) {
        const end = oneOf(random, ENDS);
        count(own, end, policy);
        count(all, end, policy);
      }
      merge(merged, own, policy);
    }
    expect(merged).toEqual(all);
  }
});

test("tells calls apart by how they ended", () => {
  const counting = noCounts();
  const ends: readonly CallEnd[] = ["answer", "server-error", "gateway-error", "local-failure"];
  for (const end of ends) count(counting, end, { splitsLocalFailures: false });
  expect(counting).toEqual({
    calls: 4,
    serverErrors: 2,
    gatewayErrors: 1,
    localFailures: 1,
    inARow: { serverErrors: 3, gatewayErrors: 2, localFailures: 1 },
  });
});

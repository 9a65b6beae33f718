import { expect, test } from "vitest";
import type { Unit, UnitKey } from "../../shared/engine/snapshot.ts";
import { compileUnit } from "../../shared/compile/compile.ts";
import {
  createWorld,
  put,
  remove,
  setChecked,
  setEjected,
  setRegistered,
  type World,
} from "../../shared/compile/world.ts";
import { openSpace } from "../../shared/compile/state.ts";
import { oneOf, seeded } from "../engine/random.ts";
import { drawChange, drawGatewayChange, everyKey, type Holdings } from "./random-mesh.ts";
import { TRUST_DOMAIN } from "./worlds.ts";

const KEYS = everyKey();

function compileAll(world: World): Map<UnitKey, Unit | null> {
  return new Map(KEYS.map((key) => [key, compileUnit(world, key)]));
}

/** The slow and obvious version: a new world, filled in an order of its own. */
function rebuild({ resources, registered, ejected, checked }: Holdings, random: () => number): World {
  const world = createWorld({ trustDomain: TRUST_DOMAIN });
  const left = [...resources.values()];
  while (left.length > 0) {
    const next = oneOf(random, left);
    left.splice(left.indexOf(next), 1);
    put(world, next);
  }
  for (const [service, endpoints] of registered) setRegistered(world, service, endpoints);
  for (const [service, ids] of ejected) setEjected(world, service, ids);
  for (const [service, verdicts] of checked) setChecked(world, service, verdicts);
  return world;
}

/** Makes changes one by one; every one must tell what it touches and leave what a new world would be. */
function follow(seed: number, draw: typeof drawChange): ReadonlySet<string> {
  const random = seeded(seed);
  const world = createWorld({ trustDomain: TRUST_DOMAIN });
  const holdings: Holdings = {
    resources: new Map(),
    registered: new Map(),
    ejected: new Map(),
    checked: new Map(),
  };
  const changed = new Set<string>();
  let before = compileAll(world);

  for (let step = 0; step < 400; step += 1) {
    const change = draw(random);
    const said = change.apply(world, holdings);
    const after = compileAll(world);
    const differing = KEYS.filter(
      (key) => JSON.stringify(before.get(key)) !== JSON.stringify(after.get(key)),
    );
    expect(
      differing.filter((key) => !said.has(key)),
      change.what,
    ).toEqual([]);
    differing.forEach((key) => changed.add(key.split(":")[0] ?? ""));
    expect(after, change.what).toEqual(compileAll(rebuild(holdings, random)));
    before = after;
  }
  return changed;
}

/** Each compiles hundreds of worlds, which takes a busy machine a while. */
const LONG = { timeout: 60_000 };

test.each([1, 2, 3, 4, 5, 6])("changes make what a new world would be (seed %i)", LONG, (seed) => {
  // The run has met every kind of unit.
  expect(follow(seed, drawChange)).toEqual(new Set(["directory", "service", "workload", "host"]));
});

test.each([1, 2, 3])("changes around gateways make what a new world would be (seed %i)", LONG, (seed) => {
  expect(follow(seed, drawGatewayChange)).toEqual(new Set(["directory", "service", "host"]));
});

test("a world from which everything was removed is as good as new", () => {
  const random = seeded(7);
  const world = createWorld({ trustDomain: TRUST_DOMAIN });
  const holdings: Holdings = {
    resources: new Map(),
    registered: new Map(),
    ejected: new Map(),
    checked: new Map(),
  };
  for (let step = 0; step < 300; step += 1) drawChange(random).apply(world, holdings);

  for (const { apiVersion, kind, metadata } of holdings.resources.values()) {
    remove(world, { apiVersion, kind, namespace: metadata.namespace, name: metadata.name });
  }
  for (const service of holdings.registered.keys()) setRegistered(world, service, []);
  for (const service of holdings.ejected.keys()) setEjected(world, service, []);
  for (const service of holdings.checked.keys()) setChecked(world, service, []);
  const fresh = createWorld({ trustDomain: TRUST_DOMAIN });
  for (const namespace of world.spaces.keys()) openSpace(fresh, namespace);
  expect(world).toEqual(fresh);
});

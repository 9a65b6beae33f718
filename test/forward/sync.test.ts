import { expect, test } from "vitest";
import type { SyncAnswer } from "../../shared/wire/rpc.ts";
import { prepare } from "../../shared/forward/sync.ts";
import { meshKit } from "../fakes/mesh-kit.ts";
import type { MeshKit } from "../fakes/mesh-kit.ts";
import { directory, service } from "../fakes/units.ts";

const UNITS = { directory: directory(), "service:shop/a": service("a") };

async function warmKit(): Promise<MeshKit> {
  const kit = meshKit({ units: UNITS });
  await kit.run(prepare(kit.mesh, Object.keys(UNITS)));
  return kit;
}

function fail(): Promise<never> {
  return Promise.reject(new Error("out of reach"));
}

function hang(): Promise<never> {
  return new Promise(() => undefined);
}

test("waits for units that it never had", async () => {
  const kit = meshKit({ units: UNITS });

  await kit.run(prepare(kit.mesh, ["directory", "service:shop/a"]));

  expect([...kit.mesh.state.snapshot.view.units.keys()]).toEqual(["directory", "service:shop/a"]);
  expect(kit.calls.syncs).toEqual([{ version: 0, held: [], wanted: ["directory", "service:shop/a"] }]);
});

test("asks once for all that wait", async () => {
  const kit = meshKit({ units: UNITS });

  await kit.run(Promise.all(Array.from({ length: 50 }, () => prepare(kit.mesh, ["directory"]))));

  expect(kit.calls.syncs.length).toBe(1);
});

test("does not wait while the view is fresh, and syncs in the background twice a second at most", async () => {
  const kit = await warmKit();
  let waits = 0;
  for (let ms = 0; ms < 10_000; ms += 50) {
    if (prepare(kit.mesh, ["service:shop/a"]) !== null) waits += 1;
    await kit.advance(50);
  }

  expect(waits).toBe(0);
  expect(kit.calls.syncs.length).toBeGreaterThan(14);
  expect(kit.calls.syncs.length).toBeLessThan(26);
});

test("waits for a sync after a second without one, so that an old policy does not decide", async () => {
  const kit = await warmKit();
  await kit.advance(1_001);
  kit.put({ "service:shop/a": null });

  await kit.run(prepare(kit.mesh, ["service:shop/a"]));

  expect(kit.mesh.state.snapshot.view.missing.has("service:shop/a")).toBe(true);
});

test("serves last-good at once while the registry fails, and counts it", async () => {
  const kit = await warmKit();
  kit.control.sync = fail;
  await kit.advance(2_000);
  await kit.run(prepare(kit.mesh, ["service:shop/a"]));
  await kit.advance(3_600_000);

  expect(prepare(kit.mesh, ["service:shop/a"])).toBeNull();
  expect(kit.mesh.state.snapshot.view.units.has("service:shop/a")).toBe(true);
  expect(kit.mesh.state.meter.host.staleCalls).toBe(1);
});

test("waits a second for a registry that hangs, and the next request does not wait at all", async () => {
  const kit = await warmKit();
  kit.control.sync = hang;
  await kit.advance(2_000);
  const before = kit.now();

  await kit.run(prepare(kit.mesh, ["service:shop/a"]));

  expect(kit.now() - before).toBe(1_000);
  expect(prepare(kit.mesh, ["service:shop/a"])).toBeNull();
});

test("recovers when the registry answers again", async () => {
  const kit = await warmKit();
  const { sync } = kit.control;
  kit.control.sync = fail;
  await kit.advance(2_000);
  await kit.run(prepare(kit.mesh, ["service:shop/a"]));
  kit.control.sync = sync;
  kit.put({ "service:shop/a": null });
  await kit.advance(1_000);

  prepare(kit.mesh, ["service:shop/a"]);
  await kit.advance(0);

  expect(kit.mesh.state.snapshot.view.missing.has("service:shop/a")).toBe(true);
  await kit.advance(1_001);
  expect(prepare(kit.mesh, ["service:shop/a"])).not.toBeNull();
});

test("a cold isolate asks a failing registry once per half second, however many requests there are", async () => {
  const kit = meshKit({ units: UNITS });
  let asked = 0;
  kit.control.sync = () => {
    asked += 1;
    return fail();
  };
  for (let ms = 0; ms < 5_000; ms += 10) {
    void prepare(kit.mesh, ["directory"]);
    void prepare(kit.mesh, ["service:shop/a"]);
    await kit.advance(10);
  }

  expect(asked).toBeGreaterThan(7);
  expect(asked).toBeLessThan(14);
  expect(kit.mesh.state.meter.host.failedSyncs).toBe(asked);
});

test("a flood of names that do not exist costs one sync per period", async () => {
  const kit = await warmKit();
  for (let n = 0; n < 2_000; n++) {
    void prepare(kit.mesh, [`service:shop/random-${n}`]);
    await kit.advance(5);
  }
  await kit.advance(1_000);

  expect(kit.calls.syncs.length).toBeLessThan(26);
  expect(kit.mesh.state.snapshot.view.missing.size).toBeLessThanOrEqual(1_000);
});

test("a name that was missing is asked for again once the version has moved", async () => {
  const kit = await warmKit();
  await kit.run(prepare(kit.mesh, ["service:shop/late"]));
  kit.put({ "service:shop/late": service("late") });
  await kit.advance(1_001);

  await kit.run(prepare(kit.mesh, ["service:shop/late"]));
  await kit.run(prepare(kit.mesh, ["service:shop/late"]));

  expect(kit.mesh.state.snapshot.view.units.has("service:shop/late")).toBe(true);
});

test("the request that started a sync was cancelled: those that waited start their own", async () => {
  const kit = meshKit({ units: UNITS });
  const { sync } = kit.control;
  kit.control.sync = hang;
  void prepare(kit.mesh, ["directory"]);
  await kit.advance(0);
  kit.control.sync = sync;
  const before = kit.now();

  await kit.run(prepare(kit.mesh, ["directory"]));

  expect(kit.mesh.state.snapshot.view.units.has("directory")).toBe(true);
  expect(kit.now() - before).toBeLessThanOrEqual(1_000);
});

test("an answer that was overtaken does not hide a change to what came in meanwhile", async () => {
  const kit = await warmKit();
  const { sync } = kit.control;
  const late = Promise.withResolvers<SyncAnswer>();
  kit.control.sync = () => late.promise;
  await kit.advance(700);
  prepare(kit.mesh, ["directory"]);
  kit.control.sync = sync;
  kit.put({ "service:shop/b": service("b") });
  await kit.advance(1_100);
  await kit.run(prepare(kit.mesh, ["service:shop/b"]));
  kit.put({ "service:shop/b": null });

  // Asked before `b` was held, answered after `b` was removed: says nothing about `b`.
  late.resolve({ version: 4, units: [], missing: [] });
  await kit.advance(1_100);
  await kit.run(prepare(kit.mesh, ["service:shop/b"]));

  expect(kit.mesh.state.snapshot.view.missing.has("service:shop/b")).toBe(true);
});

test("refuses an answer that goes back in time, and counts it", async () => {
  const kit = await warmKit();
  const { view } = kit.mesh.state.snapshot;
  kit.control.sync = async () => ({ version: 1, units: [], missing: ["service:shop/a"] });
  await kit.advance(700);

  prepare(kit.mesh, ["directory"]);
  await kit.advance(0);

  expect(kit.mesh.state.snapshot.view).toBe(view);
  expect(kit.mesh.state.meter.host.refusedSnapshots).toBe(1);
});

/** Eight isolates with one service, and the circuit that they share. */
import { expect, test } from "vitest";
import * as circuitEvidence from "../../durable-objects/circuit-evidence.ts";
import { carry } from "../../shared/forward/carry.ts";
import { endpoint } from "../engine/endpoints.ts";
import { get, reception } from "../fakes/loop.ts";
import { createWorld, meshKit, type MeshKit, type World } from "../fakes/mesh-kit.ts";
import { directory, service, TRAFFIC } from "../fakes/units.ts";

const POLICY = { failuresToOpen: 5, openForMs: 5_000, maxOpenForMs: 60_000, jitter: 0.5, rejects: true };
const NAMES = ["a", "b", "c"];

/** What the circuit object does of endpoint `a`, without the object. */
function shareCircuit(world: World, publish: (isEjected: boolean) => void) {
  let evidence = circuitEvidence.NO_EVIDENCE;
  const settle = (next: circuitEvidence.Evidence): void => {
    const before = evidence.isEjected;
    evidence = circuitEvidence.expire(next, world.clock.now());
    if (evidence.isEjected !== before) publish(evidence.isEjected);
  };
  return (kit: MeshKit, reporter: string): void => {
    kit.control.reportCircuits = async (_service, reports) => {
      for (const report of reports)
        settle(circuitEvidence.fold(evidence, { ...report, reporter }, world.clock.now()));
    };
    kit.control.claimProbe = async (_service, _endpoint, _reporter, forMs) => {
      const answer = circuitEvidence.claim(evidence, { reporter, forMs }, world.clock.now());
      settle(answer.evidence);
      return answer.isGranted;
    };
  };
}

test("a failing endpoint gets one probe in a window from all of eight isolates, and all calls soon after it is well", async () => {
  const world = createWorld();
  const traffic = { ...TRAFFIC, circuit: POLICY, retry: { ...TRAFFIC.retry, retries: 0 } };
  const unit = (isEjected: boolean) =>
    service("reviews", {
      endpoints: NAMES.map((id) => endpoint(id, { isEjected: isEjected && id === "a" })),
      traffic,
    });
  const published: number[] = [];
  const join = shareCircuit(world, (isEjected) => {
    published.push(world.clock.now());
    world.registry.put({ "service:shop/reviews": unit(isEjected) });
  });
  world.registry.put({ directory: directory(), "service:shop/reviews": unit(false) });

  let isWell = false;
  const callsToA: number[] = [];
  const send = async ({ id }: { id: string }): Promise<Response> => {
    if (id === "a") callsToA.push(world.clock.now());
    return new Response("", { status: id === "a" && !isWell ? 503 : 200 });
  };
  const isolates = Array.from({ length: 8 }, (_, index) => {
    const kit = meshKit({ world, seed: index + 1, send });
    join(kit, `isolate-${index}`);
    return kit;
  });
  /** All isolates call every 100 ms. */
  const keepCalling = async (forMs: number): Promise<void> => {
    for (let passed = 0; passed < forMs; passed += 100) {
      for (const kit of isolates) void carry(kit.mesh, get(), reception());
      await isolates[0]?.advance(100);
    }
  };

  await keepCalling(5_000);
  const ejectedAt = published[0] ?? Number.NaN;
  await keepCalling(120_000);
  const probes = callsToA.filter((at) => at > ejectedAt + 1_000);
  const gaps = probes.slice(1).map((at, index) => at - (probes[index] ?? 0));
  expect(published).toEqual([ejectedAt]);
  // Each isolate that knows it to fail waits longer from probe to probe: 5 s, 10 s and so on.
  expect(probes.length).toBeGreaterThanOrEqual(3);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(POLICY.openForMs);

  isWell = true;
  await keepCalling(90_000);
  const [, broughtBackAt = Number.NaN] = published;
  const after = callsToA.filter((at) => at > broughtBackAt + 1_000);
  const share = after.length / ((world.clock.now() - broughtBackAt - 1_000) / 100) / isolates.length;
  expect(published).toHaveLength(2);
  expect(share).toBeGreaterThan(0.3);
}, 60_000);

import { expect, test } from "vitest";
import { carry } from "../../shared/forward/carry.ts";
import { isGone, onDeparture } from "../../shared/forward/departure.ts";
import { codeOf, get, ok, reception, setUp, THREE } from "../fakes/loop.ts";
import { meshKit } from "../fakes/mesh-kit.ts";
import type { Send } from "../fakes/mesh-kit.ts";
import { backend, routeSet, service, TRAFFIC } from "../fakes/units.ts";
import type { TrafficPolicy } from "../../shared/engine/snapshot.ts";

/** A call that nobody waits for after 20 ms, to endpoints that answer after 100. */
async function leave(outlivesCalls: boolean, changes: Partial<TrafficPolicy>): Promise<unknown> {
  const signals: AbortSignal[] = [];
  const send: Send = async (_to, { signal }) => {
    signals.push(signal);
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("ended")));
      void kit.mesh.ports.sleep(100).then(() => resolve(ok()));
    });
  };
  const unit = service("reviews", { endpoints: THREE, traffic: { ...TRAFFIC, ...changes } });
  const { kit } = setUp(unit, [], { send, outlivesCalls });
  await kit.run(carry(kit.mesh, get(), reception()));
  signals.length = 0;
  const client = new AbortController();
  const before = kit.now();
  kit.mesh.ports.timer(20, () => client.abort());

  const response = await kit.run(carry(kit.mesh, get(), reception({ signal: client.signal })));

  const [linked] = [...kit.mesh.state.snapshot.view.units.values()].filter(({ kind }) => kind === "service");
  const circuits = linked?.kind === "service" ? linked.traffic.circuits.size : null;
  const ended = signals.map(({ aborted }) => aborted);
  return { code: await codeOf(response), ms: kit.now() - before, ended, circuits };
}

test.each<[string, boolean, Partial<TrafficPolicy>, readonly boolean[]]>([
  ["the edge, without limits", false, {}, [true]],
  ["the edge, with a limit of the call", false, { timeouts: { requestMs: 500 } }, [true]],
  ["the edge, with a limit of the try", false, { timeouts: { perTryMs: 500 } }, [true]],
  ["the edge, with hedges", false, { hedge: { afterMs: 5, max: 1 } }, [true, true]],
  ["the library, without limits", true, {}, [true]],
  ["the library, with a limit of the call", true, { timeouts: { requestMs: 500 } }, [true]],
])(
  "ends what works for a caller that has gone, and blames nobody: %s",
  async (...[, outlives, policy, ended]) => {
    expect(await leave(outlives, policy)).toEqual({ code: [499, "caller.gone"], ms: 20, ended, circuits: 0 });
  },
);

test("does not try again for nobody", async () => {
  const client = new AbortController();
  const later = new Response("busy", { status: 503, headers: { "retry-after": "1" } });
  const { kit, sent } = setUp(service("reviews"), [ok, () => later, ok]);
  await kit.run(carry(kit.mesh, get(), reception()));
  kit.mesh.ports.timer(500, () => client.abort());

  const response = await kit.run(carry(kit.mesh, get(), reception({ signal: client.signal })));

  expect([response.status, sent.length]).toEqual([499, 2]);
});

test("a copy for a mirror goes on when the client has gone", async () => {
  const client = new AbortController();
  const signals = new Map<string, AbortSignal>();
  const send: Send = async (_to, { signal }, { service: name }) => {
    signals.set(name, signal);
    await kit.mesh.ports.sleep(100);
    return ok();
  };
  const mirrors = [{ service: "shop/shadow", port: 80, share: 1 }];
  const routes = routeSet({ backends: [backend("main")], filters: { mirrors } });
  const units = { "service:shop/main": service("main"), "service:shop/shadow": service("shadow") };
  const entry = service("reviews", { routes: [{ port: null, consumerNamespace: null, routes }] });
  const { kit } = setUp(entry, [], { send, more: units });

  const work = carry(kit.mesh, get(), reception({ signal: client.signal }));
  await kit.advance(10);
  client.abort();
  await kit.run(work);

  const aborted = Object.fromEntries([...signals].map(([name, signal]) => [name, signal.aborted]));
  expect(aborted).toEqual({ "shop/shadow": false, "shop/main": true });
});

test("a listener that is no longer needed is not called", () => {
  const departure = new AbortController();
  const { ports } = meshKit({ departure: departure.signal }).mesh;
  const called: string[] = [];
  onDeparture(ports, () => called.push("kept"));
  onDeparture(ports, () => called.push("removed"))();

  departure.abort();

  expect(called).toEqual(["kept"]);
  expect(() => onDeparture(meshKit().mesh.ports, () => called.push("never"))()).not.toThrow();
});

test.each([
  ["is there", AbortSignal.any([]), false],
  ["has gone", AbortSignal.abort(), true],
  ["does not matter", null, false],
])("the caller %s", (_what, signal, expected) => {
  expect(isGone({ signal })).toBe(expected);
});

import { expect, test } from "vitest";
import { carry } from "../../shared/forward/carry.ts";
import type { RouteAction } from "../../shared/engine/route.ts";
import { codeOf, get, ok, reception, setUp, TWO } from "../fakes/loop.ts";
import { START } from "../fakes/mesh-kit.ts";
import { backend, PERMISSIVE, routeSet, service } from "../fakes/units.ts";

const MATCH = { headers: [], callers: [] };
const ALWAYS = { policy: "shop/r", match: MATCH, expiresAt: null };

/** Calls a service with one rule, which says so and sends to the service itself. */
function through(action: Partial<RouteAction>, subset?: string) {
  const to = backend("reviews", subset === undefined ? {} : { subset });
  const routes = routeSet({ backends: [to], ...action });
  const unit = service("reviews", {
    endpoints: TWO,
    subsets: { v2: { endpoints: ["b"], traffic: null } },
    routes: [{ port: null, consumerNamespace: null, routes }],
  });
  return setUp(unit, [ok]);
}

/** One call, and how far it moved the clock. */
async function timed({ kit }: ReturnType<typeof through>) {
  const before = kit.mesh.ports.now();
  const { status } = await kit.run(carry(kit.mesh, get(), reception()));
  return { status, tookMs: kit.mesh.ports.now() - before };
}

test("a subset's endpoints answer, and no other", async () => {
  const { kit, sent } = through({}, "v2");
  for (let call = 0; call < 10; call += 1) await kit.run(carry(kit.mesh, get(), reception()));
  expect(new Set(sent.map(({ line }) => line))).toEqual(new Set(["b GET http://reviews/"]));
});

test("a subset that nobody has named has no endpoint", async () => {
  const { kit, sent } = through({}, "v9");
  const answer = await codeOf(await kit.run(carry(kit.mesh, get(), reception())));
  expect([answer, sent]).toEqual([[503, "endpoint.none"], []]);
});

test("an abort is answered by its status and told apart from a real failure", async () => {
  const { kit, sent } = through({ faults: [{ ...ALWAYS, abort: { status: 418, share: 1 } }] });

  const response = await kit.run(carry(kit.mesh, get(), reception()));

  expect(response.headers.get("proxy-status")).toBe(
    'selvedge; error=proxy_internal_response; details="fault.abort"',
  );
  expect([await codeOf(response), sent]).toEqual([[418, "fault.abort"], []]);
  expect(kit.lines).toMatchObject([{ status: 418, reason: "fault.abort", decided_by: "shop/r" }]);
});

test("a fault whose time is over is no more", async () => {
  const fault = { ...ALWAYS, abort: { status: 418, share: 1 } };
  const { kit } = through({ faults: [{ ...fault, expiresAt: START + 1_000 }] });
  const call = async (): Promise<number> => (await kit.run(carry(kit.mesh, get(), reception()))).status;

  const before = await call();
  await kit.advance(START + 1_000 - kit.now());

  expect([before, await call()]).toEqual([418, 200]);
});

test("a delay ends with the time that the call has", async () => {
  const { kit, sent } = through({
    timeouts: { requestMs: 500 },
    faults: [{ ...ALWAYS, delay: { fixedMs: 700, jitterMs: 0, share: 1 } }],
  });
  const before = kit.now();

  const response = await kit.run(carry(kit.mesh, get(), reception()));

  expect([await codeOf(response), sent]).toEqual([[504, "upstream.timeout"], []]);
  expect(kit.now() - before).toBeLessThanOrEqual(502);
});

test.each([
  ["the host that runs the inbound half for it", true, [418, 0]],
  ["no host that leaves that to the callee", false, [200, 1]],
])("faults of the callee are injected by %s", async (_name, enforcesInbound, expected) => {
  const faults = [{ ...ALWAYS, abort: { status: 418, share: 1 } }];
  const unit = service("reviews", { inbound: [{ ...PERMISSIVE, faults }] });
  const { kit, sent } = setUp(unit, [ok], { enforcesInbound });

  const { status } = await kit.run(carry(kit.mesh, get(), reception()));

  expect([status, sent.length]).toEqual(expected);
});

interface Answered {
  readonly what: string;
  readonly action: Partial<RouteAction>;
  readonly status: number;
  readonly headers?: object;
  readonly body: string;
}

const ANSWERS: readonly Answered[] = [
  {
    what: "an abort without a body",
    action: { faults: [{ ...ALWAYS, abort: { status: 204, share: 1 } }] },
    status: 204,
    body: "",
  },
  {
    what: "an abort of gRPC",
    action: { faults: [{ ...ALWAYS, abort: { status: 200, grpcStatus: 14, share: 1 } }] },
    status: 200,
    headers: { "content-type": "application/grpc", "grpc-status": "14" },
    body: "",
  },
  {
    what: "a fixed response",
    action: { respond: { status: 503, body: "closed" } },
    status: 503,
    body: "closed",
  },
];

test.each(ANSWERS)("$what is answered without a call", async ({ action, status, headers = {}, body }) => {
  const { kit, sent } = through(action);
  const response = await kit.run(carry(kit.mesh, get(), reception()));
  expect([response.status, await response.text(), sent]).toEqual([status, body, []]);
  expect(Object.fromEntries(response.headers)).toMatchObject(headers);
});

test("a delay comes before the call, which is then made", async () => {
  const delayed = through({ faults: [{ ...ALWAYS, delay: { fixedMs: 700, jitterMs: 0, share: 1 } }] });
  const plain = through({});
  const [late, soon] = [await timed(delayed), await timed(plain)];
  expect([late.status, delayed.sent.length, late.tookMs - soon.tookMs]).toEqual([200, 1, 700]);
});

import { expect, test } from "vitest";
import { carry } from "../../shared/forward/carry.ts";
import type { RouteAction } from "../../shared/engine/route.ts";
import { codeOf, get, ok, reception, setUp, TWO } from "../fakes/loop.ts";
import { backend, routeSet, service } from "../fakes/units.ts";

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

interface Answered {
  readonly what: string;
  readonly action: Partial<RouteAction>;
  readonly status: number;
  readonly headers?: object;
  readonly body: string;
}

const ANSWERS: readonly Answered[] = [
  {
    what: "an abort",
    action: { faults: [{ ...ALWAYS, abort: { status: 418, share: 1 } }] },
    status: 418,
    body: "fault filter abort",
  },
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

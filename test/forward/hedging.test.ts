import { expect, test } from "vitest";
import type { RateLimit } from "../../shared/engine/limit.ts";
import { carry } from "../../shared/forward/carry.ts";
import { endpoint } from "../engine/endpoints.ts";
import { get, ok, reception, setUp, THREE, unavailable } from "../fakes/loop.ts";
import type { MeshKit } from "../fakes/mesh-kit.ts";
import { PERMISSIVE, service, TRAFFIC } from "../fakes/units.ts";

interface Behavior {
  readonly afterMs: number;
  readonly answer: () => Response | Promise<Response>;
}

interface Result {
  readonly kit: MeshKit;
  readonly status: number;
  readonly tookMs: number;
  readonly tries: number;
  /** Whether each try was ended early. */
  readonly aborted: readonly boolean[];
}

/** One call whose tries behave in the order given. */
async function call(
  behaviors: readonly Behavior[],
  request: Request = get(),
  outlivesCalls = true,
): Promise<Result> {
  const signals: AbortSignal[] = [];
  const send = async (_to: unknown, { signal }: Request): Promise<Response> => {
    const { afterMs, answer } = behaviors[Math.min(signals.push(signal), behaviors.length) - 1] ?? QUICK;
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("ended")));
      void kit.mesh.ports.sleep(afterMs).then(() => resolve(answer()));
    });
  };
  const traffic = { ...TRAFFIC, timeouts: { requestMs: 2_000 }, hedge: { afterMs: 50, max: 1 } };
  const { kit } = setUp(service("reviews", { endpoints: THREE, traffic }), [], { send, outlivesCalls });
  await kit.run(carry(kit.mesh, get(), reception({ goalOf: () => ({ kind: "unknown" }) })));
  await kit.run(carry(kit.mesh, new Request("http://reviews/", { method: "POST" }), reception()));
  signals.length = 0;
  const before = kit.now();
  const { status } = await kit.run(carry(kit.mesh, request, reception()));
  const tookMs = kit.now() - before;
  await kit.advance(5_000);
  return { kit, status, tookMs, tries: signals.length, aborted: signals.map((each) => each.aborted) };
}

const QUICK: Behavior = { afterMs: 5, answer: ok };
const SLOW: Behavior = { afterMs: 500, answer: ok };
const QUICK_FAILURE: Behavior = { afterMs: 5, answer: unavailable };
const LATE_FAILURE: Behavior = { afterMs: 60, answer: unavailable };

test.each<[string, readonly Behavior[], Omit<Result, "kit">]>([
  ["a quick answer needs no second try", [QUICK], { status: 200, tookMs: 5, tries: 1, aborted: [false] }],
  [
    "a late answer is overtaken, and the late try ended",
    [SLOW, QUICK],
    { status: 200, tookMs: 55, tries: 2, aborted: [true, false] },
  ],
  [
    "the first try may still win",
    [{ afterMs: 80, answer: ok }, SLOW],
    { status: 200, tookMs: 80, tries: 2, aborted: [false, true] },
  ],
  [
    "a failure beside a try on its way is not the answer",
    [SLOW, QUICK_FAILURE],
    { status: 200, tookMs: 500, tries: 2, aborted: [false, false] },
  ],
  [
    "there are no more beside one another than the policy says",
    [SLOW, SLOW],
    { status: 200, tookMs: 500, tries: 2, aborted: [false, true] },
  ],
])("%s", async (_name, behaviors, expected) => {
  const { kit: _kit, ...result } = await call(behaviors);
  expect(result).toEqual(expected);
});

test.each<[string, boolean, () => Response, unknown]>([
  ["an answer, and a place is found", true, ok, [200, ["a"]]],
  ["an answer, and none is found", false, ok, [200, ["a"]]],
  ["a failure, and a place is found", true, unavailable, [200, ["a", "b"]]],
])(
  "what comes while a place beside it is being found is not lost: %s",
  async (_name, isAdmitted, answer, expected) => {
    const limit: RateLimit = {
      policy: "shop/limit",
      mode: "strict",
      rate: { requests: 9, perMs: 1_000, burst: 9 },
      key: [],
      whenUnavailable: "deny",
    };
    const unit = service("reviews", {
      endpoints: [endpoint("a"), endpoint("b", { inbound: 1 })],
      inbound: [PERMISSIVE, { ...PERMISSIVE, limits: [limit] }],
      traffic: { ...TRAFFIC, hedge: { afterMs: 50, max: 1 } },
    });
    const reached: string[] = [];
    const { kit } = setUp(unit, [], {
      send: async ({ id }) => {
        reached.push(id);
        await kit.mesh.ports.sleep(60);
        return id === "a" ? answer() : ok();
      },
    });
    kit.control.take = async () => {
      await kit.mesh.ports.sleep(30);
      return { isAdmitted, remaining: 0, retryAfterMs: 0 };
    };
    const { status } = await kit.run(carry(kit.mesh, get(), reception()));
    expect([status, reached]).toEqual(expected);
  },
);

test("when all tries beside one another fail, a retry may follow", async () => {
  const { status, tries, kit } = await call([LATE_FAILURE, LATE_FAILURE, QUICK]);

  expect([status, tries]).toEqual([200, 3]);
  expect(kit.mesh.state.snapshot.view.units.size).toBe(2);
});

test("the loser is ended on a host whose invocations end with their call, too", async () => {
  expect((await call([SLOW, QUICK], get(), false)).aborted).toEqual([true, false]);
});

test.each([
  ["a POST", new Request("http://reviews/", { method: "POST" })],
  ["a PUT of unknown length", new Request("http://reviews/", { method: "PUT", body: "x" })],
])("%s is sent once, however late the answer", async (_name, request) => {
  expect((await call([SLOW, QUICK], request)).tries).toBe(1);
});

test("no endpoint counts as busy or failed because its try was ended", async () => {
  const { kit } = await call([SLOW, QUICK]);

  const linked = kit.mesh.state.snapshot.view.units.get("service:shop/reviews");
  if (linked?.kind !== "service") throw new Error("reviews is not loaded");
  expect([linked.traffic.load.inFlight.size, linked.traffic.circuits.size]).toEqual([0, 0]);
});

/** Tokens that count once, where they are shown: one call of theirs gets through. */
import { beforeAll, describe, expect, test } from "vitest";
import type { OperationMatch } from "../../shared/engine/authorize.ts";
import type { RateLimit } from "../../shared/engine/limit.ts";
import type { InboundPolicy, ServiceUnit, Unit } from "../../shared/engine/snapshot.ts";
import { carry } from "../../shared/forward/carry.ts";
import type { Reception } from "../../shared/forward/carry.ts";
import type { Shown } from "../../shared/forward/identify.ts";
import { receive } from "../../shared/forward/receive.ts";
import { MAX_SPENT, spendAt } from "../../shared/forward/spend.ts";
import { generateSigningKey } from "../../shared/identity/key.ts";
import type { KeyPair } from "../../shared/identity/key.ts";
import type { SpendRequest, Spent } from "../../shared/wire/rpc.ts";
import { endpoint } from "../engine/endpoints.ts";
import { seeded } from "../engine/random.ts";
import { ok, reception, setUp, TWO, unavailable, WEB } from "../fakes/loop.ts";
import { createWorld, meshKit } from "../fakes/mesh-kit.ts";
import type { MeshKit } from "../fakes/mesh-kit.ts";
import { backend, directory, PERMISSIVE, routeSet, service, TRAFFIC, workload } from "../fakes/units.ts";
import { CALLEE, forge } from "../identity/forge.ts";

const MESH = "spiffe://mesh.test";
const PAY: OperationMatch = {
  methods: [{ kind: "exact", value: "POST" }],
  paths: [{ kind: "exact", value: "/pay" }],
};
const ONCE: InboundPolicy = { ...PERMISSIVE, tokens: { once: [PAY] } };
/** The same as another set of policies. */
const ONCE_TOO: InboundPolicy = { ...ONCE };
const OPERATION = { host: "reviews", port: 80, method: "POST", path: "/pay" };

let pair: KeyPair;
let token: string;
let other: string;
let admitted: string;

beforeAll(async () => {
  pair = await generateSigningKey();
  token = await forge(pair, {}, { aud: MESH });
  other = await forge(pair, {}, { aud: MESH, jti: "t-2" });
  admitted = await forge(pair, {}, { jti: "t-3", "selvedge.dev/admitted": true });
});

const bearer = (text: string) => ({ authorization: `Bearer ${text}` });
const pay = (headers: Readonly<Record<string, string>>): Request =>
  new Request("http://reviews/pay", { method: "POST", headers });

/** A host that has `reviews` behind it and reads the tokens that come. */
function host(
  unit: Partial<ServiceUnit>,
  answers: readonly (() => Response | Promise<Response>)[] = [ok],
  options: Parameters<typeof setUp>[2] = {},
) {
  const { more = {}, ...rest } = options;
  const units = { directory: directory({ keys: [pair.publicJwk] }), ...more };
  const { kit, sent } = setUp(service("reviews", { inbound: [ONCE], ...unit }), answers, {
    ...rest,
    more: units,
  });
  const receiving: Partial<Reception> = { readsTokens: true, vouched: () => null };
  const call = async (request: Request, changes: Partial<Reception> = {}): Promise<string> => {
    const response = await kit.run(carry(kit.mesh, request, reception({ ...receiving, ...changes })));
    return (
      /details="([a-z._]+)"/.exec(response.headers.get("proxy-status") ?? "")?.[1] ?? String(response.status)
    );
  };
  return { kit, sent, call };
}

describe("at an operation that takes a token once", () => {
  test("a second call with it is refused, in whichever field it comes, without asking the object again", async () => {
    const { kit, sent, call } = host({});

    const codes = [
      await call(pay(bearer(token))),
      await call(pay(bearer(token))),
      await call(pay({ "x-selvedge-peer": token })),
      await call(pay(bearer(other))),
    ];

    expect(codes).toEqual(["200", "authn.token.replayed", "authn.token.replayed", "200"]);
    expect([sent.length, kit.calls.spendings.map(({ audience, id }) => `${audience} ${id}`)]).toEqual([
      2,
      [`${MESH} t-1`, `${MESH} t-2`],
    ]);
  });

  test("all tokens that come are spent, and one that comes in two fields once", async () => {
    const { kit, call } = host({});
    const both = { "x-selvedge-peer": token, ...bearer(other) };

    expect(await call(pay({ "x-selvedge-peer": token, ...bearer(token) }))).toBe("200");
    expect(await call(pay(both))).toBe("authn.token.replayed");
    expect(kit.calls.spendings.map(({ id }) => id)).toEqual(["t-1"]);
  });

  test("a caller who shows no token has none to replay", async () => {
    const { kit, call } = host({ inbound: [{ ...ONCE, peer: "strict" }] });

    const codes = [
      await call(pay({}), { vouched: () => WEB }),
      await call(pay({}), { vouched: () => WEB }),
      await call(pay({})),
    ];

    expect(codes).toEqual(["200", "200", "authn.missing"]);
    expect(kit.calls.spendings).toEqual([]);
  });

  test("a call that policies deny spends nothing, and a replay takes nothing from limits", async () => {
    const limit: RateLimit = {
      policy: "shop/limit",
      mode: "strict",
      rate: { requests: 9, perMs: 1_000, burst: 9 },
      key: [],
      whenUnavailable: "deny",
    };
    const deny = [
      { policy: "shop/p", rule: 0, from: [], to: [{ hosts: [{ kind: "exact", value: "evil" } as const] }] },
    ];
    const inbound = { ...ONCE, authorization: { deny, allow: null }, limits: [limit] };
    const { kit, call } = host({ inbound: [inbound] });
    const denied = new Request("http://evil/pay", { method: "POST", headers: bearer(token) });

    expect([
      await call(denied),
      kit.calls.spendings.length,
      await call(pay(bearer(token))),
      await call(pay(bearer(token))),
      kit.calls.takes.length,
    ]).toEqual(["authz.rule", 0, "200", "authn.token.replayed", 1]);
  });

  test.each<[string, Request]>([
    ["another path", new Request("http://reviews/", { method: "POST" })],
    ["another method", new Request("http://reviews/pay")],
  ])("%s does not count uses, nor does it spend", async (_what, request) => {
    const { kit, call } = host({});
    request.headers.set("authorization", `Bearer ${token}`);

    expect([await call(request.clone()), await call(request), await call(pay(bearer(token)))]).toEqual([
      "200",
      "200",
      "200",
    ]);
    expect(kit.calls.spendings.length).toBe(1);
  });
});

describe("one call spends once, however often it is sent", () => {
  const endpoints = TWO.map((each, inbound) => ({ ...each, inbound }));
  const inbound = [ONCE, ONCE_TOO];
  const again = { retry: { ...TRAFFIC.retry, anyMethod: true } };

  test("tried again at an endpoint with policies of its own", async () => {
    const { kit, sent, call } = host({ endpoints, inbound, traffic: { ...TRAFFIC, ...again } }, [
      unavailable,
      ok,
    ]);

    expect(await call(pay(bearer(token)))).toBe("200");
    expect([sent.map(({ line }) => line.slice(0, 1)).toSorted(), kit.calls.spendings.length]).toEqual([
      ["a", "b"],
      1,
    ]);
  });

  test("hedged", async () => {
    const once: InboundPolicy = { ...PERMISSIVE, tokens: { once: [{}] } };
    const late = (): Promise<Response> =>
      new Promise((resolve) => void kit.mesh.ports.sleep(200).then(() => resolve(ok())));
    const traffic = { ...TRAFFIC, hedge: { afterMs: 50, max: 1 } };
    const { kit, sent, call } = host({ endpoints, inbound: [once, { ...once }], traffic }, [ok, late, ok]);

    expect(await call(new Request("http://reviews/"), { vouched: () => WEB })).toBe("200");
    expect(await call(new Request("http://reviews/", { headers: bearer(token) }))).toBe("200");
    expect([sent.length, kit.calls.spendings.length]).toEqual([3, 1]);
  });

  test("failed over to another service", async () => {
    const more = {
      "service:shop/spare": service("spare", { endpoints: [endpoint("s")], inbound: [ONCE_TOO] }),
    };
    const traffic = { ...TRAFFIC, ...again, failover: [{ service: "shop/spare" }] };
    const { kit, sent, call } = host({ traffic }, [unavailable, ok], { more });

    expect(await call(pay(bearer(token)))).toBe("200");
    expect([sent.map(({ line }) => line.slice(0, 1)), kit.calls.spendings.length]).toEqual([["a", "s"], 1]);
  });

  test("mirrored", async () => {
    const mirrors = [{ service: "shop/shadow", port: 80, share: 1 }];
    const routes = [
      {
        port: null,
        consumerNamespace: null,
        routes: routeSet({ filters: { mirrors }, backends: [backend("reviews")] }),
      },
    ];
    const more = {
      "service:shop/shadow": service("shadow", { endpoints: [endpoint("s")], inbound: [ONCE_TOO] }),
    };
    const { kit, sent, call } = host({ routes }, [ok], { more });

    expect(await call(pay(bearer(token)))).toBe("200");
    await kit.advance(100);
    expect([sent.map(({ line }) => line.slice(0, 1)).toSorted(), kit.calls.spendings.length]).toEqual([
      ["a", "s"],
      1,
    ]);
  });
});

const hanging = (): Promise<Spent> => new Promise(() => undefined);

describe("fails closed", () => {
  test.each<[string, () => Promise<Spent>, string, number]>([
    ["the object cannot be reached", () => Promise.reject(new Error("down")), "authn.replay_unavailable", 0],
    ["it takes more than a second", hanging, "authn.replay_unavailable", 1_000],
    ["it has no room", async () => ({ kind: "full" }), "authn.replay_unavailable", 0],
    ["another isolate was first", async () => ({ kind: "replayed" }), "authn.token.replayed", 0],
    ["its answer is none that is known", async () => ({ kind: "maybe" }) as never, "authn.token.replayed", 0],
  ])("when %s", async (_what, spend, code, tookMs) => {
    const { kit, sent, call } = host({});
    // Known from before, so that nothing but the object is waited for.
    await call(new Request("http://reviews/", { headers: bearer(token) }));
    sent.length = 0;
    kit.control.spend = spend;
    const before = kit.now();

    expect([await call(pay(bearer(token))), kit.now() - before, sent.length]).toEqual([code, tookMs, 0]);
  });

  test("and asks again when the object is back", async () => {
    const { kit, call } = host({});
    const { spend } = kit.control;
    kit.control.spend = () => Promise.reject(new Error("down"));
    const response = await kit.run(
      carry(kit.mesh, pay(bearer(token)), reception({ readsTokens: true, vouched: () => null })),
    );
    kit.control.spend = spend;

    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
    expect([await call(pay(bearer(token))), await call(pay(bearer(token)))]).toEqual([
      "200",
      "authn.token.replayed",
    ]);
  });
});

function callee(
  policy: InboundPolicy,
  ports: readonly number[] = [],
): (fields: Readonly<Record<string, string>>, path?: string) => Promise<string> {
  const units: Record<string, Unit> = {
    directory: directory({ keys: [pair.publicJwk] }),
    "workload:shop/reviews-v1": { ...workload(policy), ports },
  };
  const kit = meshKit({ units });
  return async (headers, path = "/pay") => {
    const request = new Request(`http://reviews${path}`, { method: "POST", headers });
    const outcome = await kit.run(receive(kit.mesh, request, "shop/reviews-v1"));
    if (!(outcome instanceof Response)) return outcome.caller?.principal ?? "nobody";
    return ((await outcome.json()) as { code: string }).code;
  };
}

describe("at a workload that runs the inbound half itself", () => {
  test("a token of the edge's, which has admitted the call, is spent like any other", async () => {
    const call = callee({ ...ONCE, authorization: { deny: [], allow: [] } });
    const peer = { "x-selvedge-peer": admitted };

    expect([await call(peer), await call(peer), await call(peer, "/"), await call(peer, "/pay%2f")]).toEqual([
      WEB.principal,
      "authn.token.replayed",
      WEB.principal,
      "path.encoded",
    ]);
  });

  test("also where the policy names the port that is meant by one that its services do not have", async () => {
    const once = [{ ...PAY, ports: [8080] }];
    const call = callee({ ...PERMISSIVE, tokens: { once } }, [8080]);
    const peer = { "x-selvedge-peer": admitted };

    expect([await call(peer), await call(peer)]).toEqual([WEB.principal, "authn.token.replayed"]);
  });

  test("a caller's own is, too", async () => {
    const call = callee(ONCE);
    const peer = { "x-selvedge-peer": await forge(pair, {}, { aud: CALLEE, jti: "t-4" }) };

    expect([await call(peer), await call(peer)]).toEqual([WEB.principal, "authn.token.replayed"]);
  });
});

/** What a call with one token shows. */
function showing(id: string): Shown {
  return { tokens: [{ id, audience: MESH, expiresAt: 0 }], isUnbound: true, spending: null };
}

test("what an isolate remembers is bounded, and what it forgot the object knows", async () => {
  const kit = meshKit();
  const spend = async (id: string) => spendAt(kit.mesh, [PAY], OPERATION, showing(id));
  for (let n = 0; n < 2 * MAX_SPENT; n++) await spend(`t-${n}`);
  const { young, old } = kit.mesh.state.spent;
  const asked = kit.calls.spendings.length;

  expect(young.size + old.size).toBeLessThanOrEqual(MAX_SPENT);
  expect([(await spend("t-0"))?.problem.code, kit.calls.spendings.length - asked]).toEqual([
    "authn.token.replayed",
    1,
  ]);
  expect([(await spend(`t-${2 * MAX_SPENT - 1}`))?.problem.code, kit.calls.spendings.length - asked]).toEqual(
    ["authn.token.replayed", 1],
  );
});

/** One object for many isolates, which answers when it likes, and now and then not at all. */
function slowObject(kit: MeshKit, spent: Set<string>, random: () => number, failureRatio: number) {
  return async ({ audience, id }: SpendRequest): Promise<Spent> => {
    await kit.mesh.ports.sleep(Math.floor(random() * 50));
    if (random() < failureRatio) throw new Error("down");
    const isFirst = !spent.has(`${audience} ${id}`);
    spent.add(`${audience} ${id}`);
    await kit.mesh.ports.sleep(Math.floor(random() * 50));
    if (random() < failureRatio) throw new Error("the answer is lost");
    return { kind: isFirst ? "spent" : "replayed" };
  };
}

test.each([
  ["an object that answers", 0, 1],
  ["an object that fails now and then", 0.2, 0],
])(
  "of many calls at once over isolates, each token lets one through: %s",
  async (_what, failureRatio, least) => {
    const random = seeded(11);
    for (let round = 0; round < 50; round++) {
      const world = createWorld();
      const spent = new Set<string>();
      const kits = Array.from({ length: 3 }, () => meshKit({ world }));
      for (const kit of kits) kit.control.spend = slowObject(kit, spent, random, failureRatio);
      const ids = Array.from({ length: 60 }, () => `t-${Math.floor(random() * 8)}`);
      const call = async (id: string): Promise<string | null> => {
        const kit = kits[Math.floor(random() * kits.length)] ?? meshKit();
        await kit.mesh.ports.sleep(Math.floor(random() * 80));
        const refusal = await spendAt(kit.mesh, [PAY], OPERATION, showing(id));
        return refusal === null ? id : null;
      };
      const outcomes = await meshKit({ world }).run(Promise.all(ids.map(call)));

      const counts = [...new Set(ids)].map((id) => outcomes.filter((each) => each === id).length);
      expect(Math.min(...counts, 1)).toBeGreaterThanOrEqual(least);
      expect(Math.max(...counts)).toBeLessThanOrEqual(1);
    }
  },
);

/**
 * One call, several endpoints with policies of their own: each decides about
 * the call as it came, and none about what another has let in.
 */
import { expect, test } from "vitest";
import type { Authorization } from "../../shared/engine/authorize.ts";
import type { JwtRule } from "../../shared/engine/end-user.ts";
import type { InboundPolicy, ServiceUnit, TrafficPolicy } from "../../shared/engine/snapshot.ts";
import { carry } from "../../shared/forward/carry.ts";
import type { Held } from "../../shared/forward/ports.ts";
import { endpoint } from "../engine/endpoints.ts";
import { issuerOf, rule } from "../fakes/issuers.ts";
import { codeOf, get, ok, reception, setUp, unavailable } from "../fakes/loop.ts";
import { PERMISSIVE, service, TRAFFIC } from "../fakes/units.ts";

const CLOSED: InboundPolicy = { ...PERMISSIVE, authorization: { deny: [], allow: [] } };

const USER = {
  issuer: { kind: "exact", value: "one" },
  subject: { kind: "exact", value: "jane" },
} as const;

/** Refuses what is asked for jane. */
const NOT_FOR_JANE: Authorization = {
  deny: [{ policy: "shop/p", rule: 0, from: [{ also: [{ kind: "user", values: [USER] }] }], to: [] }],
  allow: null,
};

async function janes(): Promise<{ readonly token: string; readonly users: readonly JwtRule[] }> {
  const one = await issuerOf("one");
  return { token: await one.token(), users: [rule("one", one.jwk, { payloadHeader: "x-jane" })] };
}

interface Setting {
  /** Of `a` and of `b`, in this order. */
  readonly inbound: readonly InboundPolicy[];
  readonly traffic?: Partial<TrafficPolicy>;
  /** Of `reviews`; without any the call goes to `spare`, which has `b` alone. */
  readonly endpoints?: ServiceUnit["endpoints"];
}

const A = endpoint("a", { inbound: 0 });
const B = endpoint("b", { inbound: 1 });

/** A call of which `a` fails late, after a second try would have gone out beside it. */
async function callTo({ inbound, traffic, endpoints = [A, B] }: Setting, request: Request = get()) {
  const reached: [id: string, headers: Headers][] = [];
  const { kit } = setUp(service("reviews", { inbound, endpoints, traffic: { ...TRAFFIC, ...traffic } }), [], {
    send: async ({ id }, { headers }) => {
      reached.push([id, headers]);
      if (id !== "a") return ok();
      await kit.mesh.ports.sleep(60);
      return unavailable();
    },
    more: { "service:shop/spare": service("spare", { inbound, endpoints: [B] }) },
  });
  const response = await kit.run(carry(kit.mesh, request, reception()));
  return { response, reached };
}

test("a retry does not go where a try beside the first was refused", async () => {
  const { response, reached } = await callTo({
    inbound: [PERMISSIVE, CLOSED],
    traffic: { hedge: { afterMs: 50, max: 1 } },
  });

  expect([await codeOf(response), reached.map(([id]) => id)]).toEqual([[403, "authz.default_deny"], ["a"]]);
});

test("a retry goes where another policy set admits it", async () => {
  const { response, reached } = await callTo({ inbound: [PERMISSIVE, { ...PERMISSIVE, peer: "strict" }] });

  expect([response.status, reached.map(([id]) => id)]).toEqual([200, ["a", "b"]]);
});

test.each<[string, Omit<Setting, "inbound">]>([
  ["a retry", {}],
  ["a try beside the first", { traffic: { hedge: { afterMs: 50, max: 1 } } }],
  ["a service that stands in", { traffic: { failover: [{ service: "shop/spare" }] }, endpoints: [A] }],
])(
  "what one endpoint's policies take from a call is there for those of another: %s",
  async (_what, setting) => {
    const { token, users } = await janes();
    const inbound = [
      { ...PERMISSIVE, users },
      { ...PERMISSIVE, users, authorization: NOT_FOR_JANE },
    ];
    const { reached } = await callTo(
      { inbound, ...setting },
      new Request("http://reviews/", { headers: { authorization: `Bearer ${token}` } }),
    );

    expect(reached.map(([id]) => id)).not.toContain("b");
  },
);

test("an endpoint sees what its own policies tell it, and nothing that another's do", async () => {
  const { token, users } = await janes();
  const { reached } = await callTo(
    { inbound: [{ ...PERMISSIVE, users }, PERMISSIVE] },
    new Request("http://reviews/", { headers: { authorization: `Bearer ${token}`, "x-jane": "root" } }),
  );

  const seen = reached.map(([id, headers]) => [id, headers.get("authorization"), headers.get("x-jane")]);
  expect(seen).toEqual([
    ["a", null, token.split(".")[1]],
    ["b", `Bearer ${token}`, "root"],
  ]);
});

test("what was meant for an endpoint that refused reaches no other", async () => {
  const { token, users } = await janes();
  const { reached } = await callTo(
    {
      inbound: [PERMISSIVE, { ...PERMISSIVE, users, authorization: NOT_FOR_JANE }, { ...PERMISSIVE }],
      endpoints: [A, endpoint("c", { inbound: 2 }), B],
      traffic: { hedge: { afterMs: 50, max: 1 } },
    },
    new Request("http://reviews/", { headers: { authorization: `Bearer ${token}`, "x-jane": "root" } }),
  );

  const seen = reached.map(([id, headers]) => [id, headers.get("authorization"), headers.get("x-jane")]);
  expect(seen).toEqual([
    ["a", `Bearer ${token}`, "root"],
    ["c", `Bearer ${token}`, "root"],
  ]);
});

const spare = (own: InboundPolicy): ServiceUnit =>
  service("spare", { inbound: [own], endpoints: [endpoint("s")] });
const stream = (): Response => new Response("", { headers: { "content-type": "text/event-stream" } });
const hold = (response: Response): Held => ({ response, isOpen: () => true, cut: () => undefined });

test.each<[string, (policy: InboundPolicy) => InboundPolicy, readonly unknown[]]>([
  ["its token is read anew from the call as it came", (policy) => ({ ...policy, limits: [] }), []],
  ["the policies of the service that stood in decide", () => CLOSED, ["authz.default_deny"]],
])("when a call stays open, %s", async (_what, change, cuts) => {
  const { token, users } = await janes();
  const policy = { ...PERMISSIVE, users, authorization: { deny: [], allow: NOT_FOR_JANE.deny } };
  const traffic = { ...TRAFFIC, failover: [{ service: "shop/spare" }] };
  const { kit } = setUp(service("reviews", { endpoints: [], traffic }), [stream], {
    more: { "service:shop/spare": spare(policy) },
  });
  const mesh = { ...kit.mesh, ports: { ...kit.mesh.ports, hold } };
  const request = new Request("http://reviews/", { headers: { authorization: `Bearer ${token}` } });
  expect((await kit.run(carry(mesh, request, reception()))).status).toBe(200);
  kit.put({ "service:shop/spare": spare(change(policy)) });
  await kit.advance(5_000);

  expect(kit.lines.filter(({ event }) => event === "call.cut").map(({ reason }) => reason)).toEqual(cuts);
});

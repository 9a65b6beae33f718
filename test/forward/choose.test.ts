import { expect, test } from "vitest";
import type { LoadBalancing } from "../../shared/engine/balance.ts";
import type { RouteAction } from "../../shared/engine/route.ts";
import type { ServiceUnit } from "../../shared/engine/snapshot.ts";
import { carry } from "../../shared/forward/carry.ts";
import { endpoint } from "../engine/endpoints.ts";
import { broken, ok, reception, setUp, THREE, TWO, unavailable } from "../fakes/loop.ts";
import { backend, routeSet, service, TRAFFIC } from "../fakes/units.ts";

type Ask = (headers?: Readonly<Record<string, string>>) => Promise<{ id: string; cookie: string | null }>;

/** Calls `reviews` and tells which endpoint answered; endpoints a and b are at `one`, c at `two`. */
function asking(
  action: Partial<RouteAction>,
  reviews: Partial<ServiceUnit> = {},
  answer: (id: string) => Response = ok,
): Ask {
  const routes = [{ port: null, consumerNamespace: null, routes: routeSet(action) }];
  let answered = "";
  const { kit } = setUp(service("reviews", { routes, ...reviews }), [], {
    send: async ({ id }) => {
      answered = id;
      return answer(id);
    },
    more: {
      "service:shop/one": service("one", { endpoints: TWO }),
      "service:shop/two": service("two", { endpoints: [endpoint("c")] }),
    },
  });
  return async (headers = {}) => {
    const request = new Request("http://reviews/", { headers });
    const response = await kit.run(carry(kit.mesh, request, reception({ isFromOutside: true })));
    return { id: answered, cookie: response.headers.get("set-cookie") };
  };
}

const itself = (traffic: Partial<typeof TRAFFIC>): Partial<ServiceUnit> => ({
  endpoints: THREE,
  routes: [],
  traffic: { ...TRAFFIC, ...traffic },
});

async function idsOf(
  ask: Ask,
  headers: readonly Readonly<Record<string, string>>[],
): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const each of headers) ids.push((await ask(each)).id);
  return ids;
}

const users = Array.from({ length: 30 }, (_, user) => `user-${user}`);
const SPLIT = [backend("one"), backend("two")];

test.each<[string, RouteAction["sticky"], (user: string) => Record<string, string>]>([
  ["a header", { kind: "header", name: "x-user" }, (user) => ({ "x-user": user })],
  ["a cookie", { kind: "cookie", name: "user" }, (user) => ({ cookie: `a=b; user=${user}` })],
  [
    "the client's address",
    { kind: "source-ip" },
    (user) => ({ "cf-connecting-ip": `10.0.0.${user.slice(5)}` }),
  ],
])(
  "a split that sticks to %s gives each key one backend, and all of them some",
  async (_name, sticky, headers) => {
    const ask = asking({ sticky: sticky ?? { kind: "caller" }, backends: SPLIT });
    const versions = async (): Promise<readonly string[]> =>
      (await idsOf(ask, users.map(headers))).map((id) => (id === "c" ? "two" : "one"));

    const first = await versions();

    expect(await versions()).toEqual(first);
    expect(new Set(first)).toEqual(new Set(["one", "two"]));
  },
);

test("requests without the key are split by chance", async () => {
  const ask = asking({ sticky: { kind: "header", name: "x-user" }, backends: SPLIT });

  const ids = await idsOf(
    ask,
    users.map(() => ({})),
  );

  expect(new Set(ids)).toEqual(new Set(["a", "b", "c"]));
});

const SESSION = { kind: "cookie", name: "s", lifetime: "session", path: "/" } as const;
const cookieOf = (field: string | null): string => field?.split(";")[0] ?? "";

test.each<[string, Partial<RouteAction>, Partial<ServiceUnit>]>([
  ["a route's, across the backends of a split", { session: SESSION, backends: SPLIT }, {}],
  ["a service's", {}, itself({ affinity: SESSION })],
])("a session, %s, stays where it began and is told to the client once", async (_name, action, unit) => {
  const ask = asking(action, unit);
  const begun = await ask();

  const later = [];
  for (let call = 0; call < 12; call++) later.push(await ask({ cookie: cookieOf(begun.cookie) }));

  expect(begun.cookie).toMatch(/^s=[0-9a-f]{16}\.[0-9a-z]+; Path=\/; HttpOnly$/);
  expect(later).toEqual(later.map(() => ({ id: begun.id, cookie: null })));
});

test("a session with an idle time-out is told of its latest call, and of nothing within its second", async () => {
  const idle = { ...SESSION, idleTimeoutMs: 60_000 };
  const { kit, sent } = setUp(service("reviews", itself({ affinity: idle })), [ok, ok, ok]);
  const ask = async (cookie: string): Promise<string | null> => {
    const request = new Request("http://reviews/", { headers: { cookie } });
    const response = await kit.run(carry(kit.mesh, request, reception()));
    return response.headers.get("set-cookie");
  };

  const begun = cookieOf(await ask(""));
  const atOnce = await ask(begun);
  await kit.advance(2_000);
  const later = await ask(begun);

  expect(atOnce).toBe(null);
  expect(later).toMatch(/^s=[0-9a-f]{16}\.[0-9a-z]+\.[0-9a-z]+; Path=\/; HttpOnly$/);
  expect(sent).toHaveLength(3);
});

test("a session whose endpoint fails begins anew where the call was answered", async () => {
  let failing = "";
  const ask = asking({}, itself({ affinity: SESSION }), (id) => (id === failing ? unavailable() : ok()));
  const begun = await ask();
  failing = begun.id;

  const moved = await ask({ cookie: cookieOf(begun.cookie) });
  const later = await ask({ cookie: cookieOf(moved.cookie) });

  expect(moved.id).not.toBe(begun.id);
  expect(later).toEqual({ id: moved.id, cookie: null });
});

const HASHED: readonly LoadBalancing[] = [
  { kind: "ring", key: [{ kind: "header", name: "x-user" }], minSize: 64, maxSize: 1024 },
  { kind: "maglev", key: [{ kind: "header", name: "x-user" }], tableSize: 251 },
];

test.each(HASHED)("$kind sends a key to one endpoint, and keys to all", async (loadBalancing) => {
  const ask = asking({}, itself({ loadBalancing }));
  const headers = users.map((user) => ({ "x-user": user }));

  const first = await idsOf(ask, headers);

  expect(await idsOf(ask, headers)).toEqual(first);
  expect(new Set(first)).toEqual(new Set(["a", "b", "c"]));
});

test("a client without a key gets a cookie that leads it back", async () => {
  const cookie = { name: "lb", path: "/", ttlMs: 60_000 };
  const key = [{ kind: "cookie", name: "lb" }] as const;
  const ask = asking({}, itself({ loadBalancing: { kind: "maglev", tableSize: 251, key, cookie } }));

  for (let client = 0; client < 10; client++) {
    const first = await ask();
    expect(first.cookie).toMatch(/^lb=[0-9a-z]+; Path=\/; Max-Age=60; HttpOnly$/);
    expect(await ask({ cookie: cookieOf(first.cookie) })).toEqual({ id: first.id, cookie: null });
  }
});

test("subsets take turns of their own, by a policy of their own", async () => {
  const subsets = {
    ab: { endpoints: ["a", "b"], traffic: null },
    bc: { endpoints: ["b", "c"], traffic: { ...TRAFFIC, affinity: SESSION } },
  };
  const ask = asking(
    {
      sticky: { kind: "header", name: "x-user" },
      backends: [backend("reviews", { subset: "ab" }), backend("reviews", { subset: "bc" })],
    },
    { endpoints: THREE, subsets },
  );
  /** A user of each subset: the policy of one begins sessions. */
  const userOf = new Map<boolean, string>();
  for (const user of users) userOf.set((await ask({ "x-user": user })).cookie !== null, user);

  const seen = { ab: new Set<string>(), bc: new Set<string>() };
  for (let round = 0; round < 4; round++) {
    seen.ab.add((await ask({ "x-user": userOf.get(false) ?? "" })).id);
    seen.bc.add((await ask({ "x-user": userOf.get(true) ?? "" })).id);
  }

  // In alternation: turns that one took from the other would give each the same endpoint every time.
  expect(seen).toEqual({ ab: new Set(["a", "b"]), bc: new Set(["b", "c"]) });
});

test("peak EWMA turns away from an endpoint that is slow", async () => {
  const loadBalancing = { kind: "peak-ewma", decayMs: 10_000, defaultRttMs: 30 } as const;
  const { kit } = setUp(service("reviews", itself({ loadBalancing })), [], {
    send: async ({ id }) => {
      counts[id] = (counts[id] ?? 0) + 1;
      await kit.mesh.ports.sleep(id === "a" ? 400 : 5);
      return ok();
    },
  });
  const counts: Record<string, number> = {};

  for (let call = 0; call < 60; call++)
    await kit.run(carry(kit.mesh, new Request("http://reviews/"), reception()));

  expect(counts["a"] ?? 0).toBeLessThanOrEqual(2);
});

test.each([
  ["a busy answer", unavailable],
  ["no answer", broken],
])("least request turns away from an endpoint that gives %s at once", async (_name, answer) => {
  const counts: Record<string, number> = {};
  const { kit } = setUp(
    service("reviews", {
      endpoints: THREE,
      traffic: {
        ...TRAFFIC,
        loadBalancing: { kind: "least-request", choices: 2 },
        circuit: { ...TRAFFIC.circuit, failuresToOpen: 10_000 },
        retry: { ...TRAFFIC.retry, retries: 0 },
      },
    }),
    [],
    {
      send: async ({ id }) => {
        counts[id] = (counts[id] ?? 0) + 1;
        return id === "a" ? answer() : ok();
      },
    },
  );

  for (let call = 0; call < 90; call++)
    await kit.run(carry(kit.mesh, new Request("http://reviews/"), reception()));

  expect(counts["a"] ?? 0).toBeLessThanOrEqual(2);
});

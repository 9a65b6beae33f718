/**
 * What single decisions cost, in nanoseconds.
 *
 * @module
 */
import type {
  Authorization,
  AuthorizationInput,
  AuthorizationRule,
  Caller,
} from "../shared/engine/authorize.ts";
import * as authorize from "../shared/engine/authorize.ts";
import type { StringMatch } from "../shared/engine/match.ts";
import type { RequestView } from "../shared/engine/request.ts";
import type { RouteSet } from "../shared/engine/route.ts";
import * as route from "../shared/engine/route.ts";
import { timeRecording } from "./recording.ts";
import { at, nanoseconds } from "./timing.ts";
import { timeToken, timeUserToken } from "./tokens.ts";

export type EngineFigures = Readonly<Record<string, number>>;

const caller: Caller = {
  trustDomain: "bench.test",
  namespace: "shop",
  serviceAccount: "cart",
  principal: "bench.test/ns/shop/sa/cart",
};

/**
 * Measures the decisions that every request takes. Goals: a policy decision
 * within 3,000 ns, within 2,000 by 10,000 policies; a token that is known within 1,000, sampling within 50.
 */
export async function engineFigures(): Promise<EngineFigures> {
  return {
    "route of 10": timeRoutes(10),
    "route of 10,000": timeRoutes(10_000),
    "policy, 10 rules": timePolicy(10),
    "policy, 100 rules": timePolicy(100),
    "policy, 10,000 policies": timePolicy(10_000),
    "policy, 10,000 of all kinds": timeMixture(10_000),
    "sampling for simulations": timeRecording(),
    "token of the mesh": await timeToken(),
    "token of an end user": await timeUserToken(),
  };
}

function timeRoutes(count: number): number {
  const table = route.index(routeSet(count), noPatterns);
  const requests = Array.from({ length: 1024 }, (_, n) => request(`/area-${(n * 7919) % count}/items/${n}`));
  return nanoseconds((n) => route.match(table, at(requests, n), null) !== null);
}

function noPatterns(source: string): never {
  throw new Error(`the benchmark has no pattern ${source}`);
}

function routeSet(count: number): RouteSet {
  const filters = {};
  return {
    entries: Array.from({ length: count }, (_, n) => ({
      path: { kind: "prefix", value: `/area-${n}/items` },
      method: "GET",
      headers: [],
      query: [],
      action: n,
    })),
    actions: Array.from({ length: count }, (_, n) => ({
      route: `bench/route-${n}`,
      rule: "0",
      filters,
      backends: [{ service: "bench/origin", port: 80, weight: 1, filters }],
    })),
  };
}

function timePolicy(rules: number): number {
  const authorization: Authorization = {
    deny: [
      { policy: "shop/deny", rule: 0, from: [], to: [{ paths: [{ kind: "prefix", value: "/admin" }] }] },
    ],
    allow: Array.from({ length: rules }, (_, n) => ({
      policy: `shop/allow-${n}`,
      rule: 0,
      from: [
        { principals: [{ kind: "exact", value: `bench.test/ns/shop/sa/${n === rules - 1 ? "cart" : n}` }] },
      ],
      to: [{ methods: [{ kind: "exact", value: "GET" }], paths: [{ kind: "prefix", value: "/items" }] }],
    })),
  };
  const inputs: AuthorizationInput[] = Array.from({ length: 1024 }, (_, n) => ({
    ...request(`/items/${n}`),
    caller,
    now: 0,
  }));
  return nanoseconds((n) => authorize.authorize(authorization, at(inputs, n)).kind === "allow");
}

/** Policies of one workload that name callers, namespaces and paths, the last of which lets the call in. */
function timeMixture(policies: number): number {
  const kinds: readonly ((n: number) => Pick<AuthorizationRule, "from" | "to">)[] = [
    (n) => ({
      from: [{ principals: [exact(`bench.test/ns/shop/sa/${n}`)] }],
      to: [{ methods: [exact("GET")] }],
    }),
    (n) => ({ from: [{ namespaces: [exact(`team-${n}`)] }], to: [] }),
    (n) => ({
      from: [],
      to: [{ paths: [{ kind: "prefix", value: `/area-${n}/` }], methods: [exact("GET")] }],
    }),
  ];
  const rules = Array.from({ length: policies }, (_, n): AuthorizationRule => ({
    policy: `shop/p-${n}`,
    rule: 0,
    from: [],
    to: [],
    ...kinds[n % kinds.length]?.(n),
  }));
  const authorization = { deny: rules.slice(0, policies / 2), allow: rules.slice(policies / 2) };
  const known = `/area-${Math.floor((policies - 1) / 3) * 3 - 1}`;
  const inputs: AuthorizationInput[] = Array.from({ length: 1024 }, (_, n) => ({
    ...request(`${known}/${n}`),
    caller,
    now: 0,
  }));
  return nanoseconds((n) => authorize.authorize(authorization, at(inputs, n)).kind === "allow");
}

function exact(value: string): StringMatch {
  return { kind: "exact", value };
}

function request(path: string): RequestView {
  return {
    method: "GET",
    scheme: "http",
    authority: "shop.test",
    host: "shop.test",
    port: 80,
    path,
    query: "",
    headers: { get: () => null },
  };
}

import { expect, test } from "vitest";
import type { Authorization } from "../../shared/engine/authorize.ts";
import type { RouteSet } from "../../shared/engine/route.ts";
import { carry } from "../../shared/forward/carry.ts";
import { codeOf, ok, reception, setUp } from "../fakes/loop.ts";
import { backend, directory, listener, OPEN, routeSet, service, virtualHost } from "../fakes/units.ts";

/** Lets in whoever comes with a value of a field. */
function onlyWith(name: string, value: string): Authorization {
  const values = [{ kind: "exact", value }] as const;
  const when = [{ kind: "header", name, values }] as const;
  return { deny: [], allow: [{ policy: "shop/p", rule: 0, from: [], to: [], when }] };
}

/** A call from outside, by a gateway. */
async function knock(
  fields: Readonly<Record<string, string>>,
  { authorization = OPEN, routes }: { authorization?: Authorization; routes: RouteSet },
): Promise<unknown> {
  const { kit, sent } = setUp(service("reviews"), [ok], {
    more: {
      directory: directory({ listeners: [listener("door")] }),
      "host:shop/door/http#*": virtualHost(routes, authorization),
    },
  });
  const request = new Request("http://shop.test/", { headers: fields });
  const outside = { isFromOutside: true, vouched: () => null, goalOf: () => ({ kind: "gateway" }) as const };
  const response = await kit.run(carry(kit.mesh, request, reception(outside)));
  return response.status === 200 ? sent.length : codeOf(response);
}

const ALL = routeSet({ backends: [backend("reviews")] });

test.each<[name: string, sent: string, wanted: string, expected: unknown]>([
  ["x-forwarded-client-cert", "URI=spiffe://a", "URI=spiffe://a", [403, "authz.default_deny"]],
  ["x-selvedge-priority", "high", "high", [403, "authz.default_deny"]],
  ["client-cert", ":AAEC:", ":AAEC:", [403, "authz.default_deny"]],
  ["x-forwarded-for", "10.0.0.1", "10.0.0.1", [403, "authz.default_deny"]],
  ["x-real-ip", "10.0.0.1", "10.0.0.1", [403, "authz.default_deny"]],
  ["x-forwarded-proto", "https", "https", [403, "authz.default_deny"]],
  ["x-forwarded-proto", "https", "http", 1],
  ["x-custom", "a", "a", 1],
])(
  "a gateway's policy does not believe what a client says in %s: %s",
  async (name, sent, wanted, expected) => {
    expect(await knock({ [name]: sent }, { authorization: onlyWith(name, wanted), routes: ALL })).toEqual(
      expected,
    );
  },
);

test.each<[name: string, sent: string, wanted: string, expected: unknown]>([
  ["x-forwarded-proto", "https", "https", [404, "route.none"]],
  ["x-forwarded-proto", "https", "http", 1],
  ["x-custom", "a", "a", 1],
])("nor does its route, in %s: %s", async (name, sent, wanted, expected) => {
  const entries = ALL.entries.map((entry) => ({
    ...entry,
    headers: [{ name, kind: "exact", value: wanted } as const],
  }));
  expect(await knock({ [name]: sent }, { routes: { ...ALL, entries } })).toEqual(expected);
});

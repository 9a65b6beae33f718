import { expect, test } from "vitest";
import type { Cors } from "../../shared/engine/cors.ts";
import type { RouteAction } from "../../shared/engine/route.ts";
import { carry } from "../../shared/forward/carry.ts";
import { broken, ok, reception, setUp } from "../fakes/loop.ts";
import { backend, routeSet, service } from "../fakes/units.ts";

const CORS: Cors = {
  allowOrigins: ["https://app.test"],
  allowCredentials: false,
  allowMethods: ["PUT"],
  allowHeaders: ["x-a"],
  exposeHeaders: [],
  maxAgeSeconds: 5,
};

const ALLOWED = { "access-control-allow-origin": "https://app.test" };

function ask(
  action: Partial<RouteAction>,
  init: RequestInit,
  answer: () => Response | Promise<Response> = ok,
) {
  const routes = routeSet({ backends: [backend("reviews")], ...action });
  const unit = service("reviews", { routes: [{ port: null, consumerNamespace: null, routes }] });
  const { kit, sent } = setUp(unit, [answer]);
  const answering = kit.run(carry(kit.mesh, new Request("http://reviews/a", init), reception()));
  return answering.then((response) => ({ response, sent: sent.length }));
}

const preflight = {
  method: "OPTIONS",
  headers: { origin: "https://app.test", "access-control-request-method": "PUT" },
};
const actual = { headers: { origin: "https://app.test" } };
const redirect = { statusCode: 302, hostname: "else.test" } as const;
const byBackend = (filters: RouteAction["filters"]): Partial<RouteAction> => ({
  backends: [backend("reviews", { filters })],
});

test.each<[string, Partial<RouteAction>, RequestInit, number, object, number]>([
  [
    "a preflight, by the rule",
    { filters: { cors: CORS } },
    preflight,
    204,
    { ...ALLOWED, "access-control-allow-methods": "PUT" },
    0,
  ],
  ["a preflight, by the backend", byBackend({ cors: CORS }), preflight, 204, ALLOWED, 0],
  ["a preflight before a redirect", { filters: { cors: CORS, redirect } }, preflight, 204, ALLOWED, 0],
  [
    "OPTIONS that is no preflight",
    { filters: { cors: CORS } },
    { method: "OPTIONS" },
    200,
    { vary: "origin" },
    1,
  ],
  [
    "a request of an allowed origin",
    { filters: { cors: CORS } },
    actual,
    200,
    { ...ALLOWED, vary: "origin" },
    1,
  ],
  ["a redirect of the rule", { filters: { redirect } }, {}, 302, { location: "http://else.test/a" }, 0],
  [
    "a redirect that another origin may follow",
    { filters: { redirect, cors: CORS } },
    actual,
    302,
    ALLOWED,
    0,
  ],
  ["a redirect of the backend", byBackend({ redirect }), {}, 302, { location: "http://else.test/a" }, 0],
  ["a fixed response", { respond: { status: 410, body: "gone" } }, {}, 410, {}, 0],
])("answers %s", async (...[, action, init, status, headers, calls]) => {
  const { response, sent } = await ask(action, init);

  expect([response.status, sent]).toEqual([status, calls]);
  expect(Object.fromEntries(response.headers)).toMatchObject(headers);
});

test("a page of an allowed origin may learn why its call failed", async () => {
  const { response } = await ask({ filters: { cors: CORS } }, actual, broken);

  expect(response.status).toBe(503);
  expect(Object.fromEntries(response.headers)).toMatchObject(ALLOWED);
  expect(await response.json()).toMatchObject({ code: "upstream.broken" });
});

test("what a backend rewrites goes before what its rule does, and what it does not is the rule's", async () => {
  const routes = routeSet({
    filters: { rewrite: { hostname: "rule.test", path: { kind: "full", value: "/rule" } } },
    backends: [backend("reviews", { filters: { rewrite: { hostname: "backend.test" } } })],
  });
  const unit = service("reviews", { routes: [{ port: null, consumerNamespace: null, routes }] });
  const { kit, sent } = setUp(unit, [ok]);

  await kit.run(carry(kit.mesh, new Request("http://reviews/a"), reception()));

  expect(sent.map(({ line }) => line)).toEqual(["a GET http://backend.test/rule"]);
});

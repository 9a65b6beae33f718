import { expect, test } from "vitest";
import type { Mirror } from "../../shared/engine/mirror.ts";
import { carry } from "../../shared/forward/carry.ts";
import { MAX_IN_FLIGHT } from "../../shared/forward/mirrors.ts";
import { endpoint } from "../engine/endpoints.ts";
import { broken, get, ok, reception, setUp, unavailable } from "../fakes/loop.ts";
import type { MeshKit, Send } from "../fakes/mesh-kit.ts";
import { backend, PERMISSIVE, routeSet, service } from "../fakes/units.ts";

const TO_SHADOW: Mirror = { service: "shop/shadow", port: 80, share: 1 };

interface Seen {
  readonly line: string;
  readonly isCopy: boolean;
  readonly body: string;
}

/** A route to `reviews` (endpoint a), mirrored to `shadow` (endpoint s). */
function setUpMirrors(
  mirrors: readonly Mirror[],
  shadow: () => Response | Promise<Response> = ok,
  inbound = PERMISSIVE,
): { kit: MeshKit; seen: Seen[] } {
  const seen: Seen[] = [];
  const send: Send = async ({ id }, request) => {
    const isCopy = request.headers.get("x-selvedge-mirrored") === "1";
    seen.push({ line: `${id} ${request.method} ${request.url}`, isCopy, body: await request.text() });
    return id === "s" ? shadow() : ok();
  };
  const filters = { mirrors, rewrite: { path: { kind: "prefix", value: "/v2" } } } as const;
  const routes = routeSet({ filters, backends: [backend("reviews")] });
  const reviews = service("reviews", { routes: [{ port: null, consumerNamespace: null, routes }] });
  const more = {
    "service:shop/shadow": service("shadow", { endpoints: [endpoint("s")], inbound: [inbound] }),
  };
  return { kit: setUp(reviews, [], { send, more }).kit, seen };
}

const dropped = (kit: MeshKit): number => kit.mesh.state.meter.host.droppedMirrors;

const post = (body: string, length = String(body.length)): Request =>
  new Request("http://reviews/a", { method: "POST", body, headers: { "content-length": length } });

test("each mirror gets a copy of the request as the route made it, marked, whole", async () => {
  const { kit, seen } = setUpMirrors([TO_SHADOW, TO_SHADOW]);

  const response = await kit.run(carry(kit.mesh, post("hello"), reception()));
  await kit.advance(100);

  const line = "POST http://reviews/v2/a";
  expect([response.status, dropped(kit)]).toEqual([200, 0]);
  expect(seen.toSorted((one, other) => one.line.localeCompare(other.line))).toEqual([
    { line: `a ${line}`, isCopy: false, body: "hello" },
    { line: `s ${line}`, isCopy: true, body: "hello" },
    { line: `s ${line}`, isCopy: true, body: "hello" },
  ]);
});

test.each([
  ["answers 503", unavailable],
  ["breaks", broken],
  ["never answers", (): Promise<Response> => new Promise(() => undefined)],
])(
  "a mirror that %s changes nothing, is not tried again and not counted as a call",
  async (_name, shadow) => {
    const { kit, seen } = setUpMirrors([TO_SHADOW], shadow);
    const before = kit.now();

    const response = await kit.run(carry(kit.mesh, get("/a"), reception()));
    const tookMs = kit.now() - before;
    await kit.advance(60_000);

    expect([response.status, tookMs < 10]).toEqual([200, true]);
    expect(seen.filter(({ line }) => line.startsWith("s "))).toHaveLength(1);
    expect(kit.mesh.state.mirrors.size).toBe(0);
    const counted = kit.calls.reports.flatMap(({ series }) =>
      series.map(({ labels, count }) => [labels.destination, count]),
    );
    expect(counted).toEqual([["shop/reviews", 1]]);
  },
);

test.each<[string, () => Request, readonly Mirror[], number]>([
  [
    "whose length is not known",
    () => new Request("http://reviews/a", { method: "POST", body: "x" }),
    [TO_SHADOW],
    1,
  ],
  ["with a large body", () => post("x", "65537"), [TO_SHADOW], 1],
  [
    "that is a copy already",
    () => new Request("http://reviews/a", { headers: { "x-selvedge-mirrored": "1" } }),
    [TO_SHADOW],
    0,
  ],
  ["of which no share is taken", () => get("/a"), [{ ...TO_SHADOW, share: 0 }], 0],
  ["for a mirror that is not granted", () => get("/a"), [{ ...TO_SHADOW, invalid: "backend.forbidden" }], 0],
  ["for a mirror that does not exist", () => get("/a"), [{ ...TO_SHADOW, service: "shop/nobody" }], 1],
  ["for a subset that does not exist", () => get("/a"), [{ ...TO_SHADOW, subset: "v9" }], 1],
])("a request %s is not mirrored", async (_name, request, mirrors, expected) => {
  const { kit, seen } = setUpMirrors(mirrors);

  const response = await kit.run(carry(kit.mesh, request(), reception()));
  await kit.advance(2_000);

  expect([response.status, seen.map(({ line }) => line.slice(0, 1))]).toEqual([200, ["a"]]);
  const reported = kit.calls.reports.reduce((sum, { host }) => sum + host.droppedMirrors, dropped(kit));
  expect(reported).toBe(expected);
});

test("a mirror gets nothing that its policies refuse", async () => {
  const { kit, seen } = setUpMirrors([TO_SHADOW], ok, {
    ...PERMISSIVE,
    authorization: { deny: [], allow: [] },
  });

  const response = await kit.run(carry(kit.mesh, get("/a"), reception()));
  await kit.advance(100);

  expect([response.status, seen.length, dropped(kit)]).toEqual([200, 1, 1]);
});

test("copies beyond the limit are dropped while others are on their way, and not afterwards", async () => {
  const { kit, seen } = setUpMirrors([TO_SHADOW], () => new Promise(() => undefined));
  const copies = (): number => seen.filter(({ isCopy }) => isCopy).length;

  for (let call = 0; call < MAX_IN_FLIGHT + 8; call++) await kit.run(carry(kit.mesh, get("/a"), reception()));
  await kit.advance(100);
  const [sent, lost] = [copies(), dropped(kit)];
  await kit.advance(60_000);
  await kit.run(carry(kit.mesh, get("/a"), reception()));
  await kit.advance(100);

  expect([sent, lost, copies()]).toEqual([MAX_IN_FLIGHT, 8, MAX_IN_FLIGHT + 1]);
});

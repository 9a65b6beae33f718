import { expect, test } from "vitest";
import type { Thresholds } from "../../shared/engine/concurrency.ts";
import type { InboundPolicy, ServiceUnit, TrafficPolicy } from "../../shared/engine/snapshot.ts";
import { carry } from "../../shared/forward/carry.ts";
import type { Reception } from "../../shared/forward/carry.ts";
import { codeOf, get, never, ok, reception, setUp, THREE, unavailable } from "../fakes/loop.ts";
import type { MeshKit, Send } from "../fakes/mesh-kit.ts";
import { backend, PERMISSIVE, routeSet, service, TRAFFIC } from "../fakes/units.ts";

const UNLIMITED: Thresholds = { maxRequests: null, maxPending: null, maxRetries: null };

function limited(limits: Partial<Thresholds>, changes: Partial<TrafficPolicy> = {}): TrafficPolicy {
  const thresholds = { ...UNLIMITED, ...limits };
  return { ...TRAFFIC, concurrency: { default: thresholds, high: thresholds }, ...changes };
}

interface Stage {
  readonly kit: MeshKit;
  /** What reached an endpoint, and when: `/path at 100 ms`. */
  readonly sent: string[];
  call(path: string, changes?: Partial<Reception>): Promise<Response>;
}

/** A service whose endpoints answer by path: `/200/10` is status 200 after 10 ms. */
async function stage(changes: Partial<ServiceUnit>, inbound: InboundPolicy = PERMISSIVE): Promise<Stage> {
  const sent: string[] = [];
  const send: Send = async (_to, request) => {
    const { pathname } = new URL(request.url);
    sent.push(`${pathname} at ${kit.now() - start} ms`);
    const [, status, ms] = pathname.split("/");
    await kit.mesh.ports.sleep(Number(ms));
    return new Response(null, { status: Number(status) });
  };
  const unit = service("reviews", { endpoints: THREE, inbound: [inbound], ...changes });
  const { kit } = setUp(unit, [ok], { send });
  // So that nothing needs to be loaded.
  await kit.run(carry(kit.mesh, get("/200/0"), reception()));
  sent.length = 0;
  const start = kit.now();
  const call = (path: string, own: Partial<Reception> = {}): Promise<Response> =>
    carry(kit.mesh, get(path), reception(own));
  return { kit, sent, call };
}

const statuses = (responses: readonly Response[]): number[] => responses.map(({ status }) => status);

test("calls above the limit wait for their turn, in order of arrival", async () => {
  const { kit, sent, call } = await stage({ traffic: limited({ maxRequests: 1 }) });

  const responses = await kit.run(
    Promise.all(["/200/10/a", "/200/10/b", "/200/10/c"].map((path) => call(path))),
  );

  expect(statuses(responses)).toEqual([200, 200, 200]);
  // A turn is noticed within two milliseconds, and half of one for each place in the queue.
  expect(sent).toEqual(["/200/10/a at 0 ms", "/200/10/b at 10 ms", "/200/10/c at 20.5 ms"]);
});

test("what is too much is refused at once, with a time to come back", async () => {
  const { kit, sent, call } = await stage({ traffic: limited({ maxRequests: 1, maxPending: 1 }) });
  const others = [call("/200/10/a"), call("/200/10/b")];

  const refused = await kit.run(call("/200/10/c"));

  expect([refused.headers.get("retry-after"), refused.headers.get("proxy-status")]).toEqual([
    "1",
    'selvedge; error=connection_limit_reached; details="overload.pending"',
  ]);
  expect(await codeOf(refused)).toEqual([503, "overload.pending"]);
  await kit.run(Promise.all(others));
  expect(sent).toHaveLength(2);
});

test("nobody waits longer than the call may take", async () => {
  const traffic = limited({ maxRequests: 1 }, { timeouts: { requestMs: 50 } });
  const { kit, sent, call } = await stage({ traffic });
  const first = call("/200/45/a");
  await kit.advance(0);
  const since = kit.now();

  const [second, third] = await kit.run(Promise.all([call("/200/1/b"), call("/200/20/c")]));

  // The second gets its turn just in time, the third too late to be answered.
  expect(statuses([await first, second, third])).toEqual([200, 200, 504]);
  expect(kit.now() - since).toBe(50);
  expect(sent.map((line) => line.split(" ")[0])).toEqual(["/200/45/a", "/200/1/b", "/200/20/c"]);
});

test("a call whose time runs out while it waits is not sent", async () => {
  const traffic = limited({ maxRequests: 1 }, { timeouts: { requestMs: 50 } });
  const { kit, sent, call } = await stage({ traffic });
  const first = call("/200/60/a");
  await kit.advance(0);

  const second = await kit.run(call("/200/1/b"));

  expect(await codeOf(second)).toEqual([504, "upstream.timeout"]);
  expect([(await kit.run(first)).status, sent]).toEqual([504, ["/200/60/a at 0 ms"]]);
});

test("calls of high priority have a limit of their own", async () => {
  const action = { priority: "high" as const, backends: [backend("reviews")] };
  const routes = [{ port: null, consumerNamespace: null, routes: routeSet(action, "/200/10/high") }];
  const rest = { port: 81, consumerNamespace: null, routes: routeSet({ backends: [backend("reviews")] }) };
  const ports = [80, 81].map((port) => ({ name: `p${port}`, port }));
  const { kit, sent } = await stage({
    ports,
    routes: [rest, ...routes],
    traffic: limited({ maxRequests: 1 }),
  });
  const at = (port: number, path: string): Promise<Response> =>
    carry(kit.mesh, new Request(`http://reviews:${port}${path}`), reception());

  const paths = [at(81, "/200/10/a"), at(81, "/200/10/b"), at(80, "/200/10/high")];
  await kit.run(Promise.all(paths));

  expect(sent).toEqual(["/200/10/a at 0 ms", "/200/10/high at 0 ms", "/200/10/b at 10 ms"]);
});

/** Routes of one port, to a subset. */
const to = (subset: string) => ({
  port: subset === "v1" ? 80 : 81,
  consumerNamespace: null,
  routes: routeSet({ backends: [backend("reviews", { subset })] }),
});

test("each subset has a limit of its own", async () => {
  const subsets = { v1: { endpoints: ["a"], traffic: null }, v2: { endpoints: ["b"], traffic: null } };
  const ports = [80, 81].map((port) => ({ name: `p${port}`, port }));
  const routes = [to("v1"), to("v2")];
  const { kit, sent } = await stage({ ports, subsets, routes, traffic: limited({ maxRequests: 1 }) });

  const urls = ["http://reviews:80/200/10/a", "http://reviews:81/200/10/b", "http://reviews:81/200/10/c"];
  await kit.run(Promise.all(urls.map((url) => carry(kit.mesh, new Request(url), reception()))));

  expect(sent).toEqual(["/200/10/a at 0 ms", "/200/10/b at 0 ms", "/200/10/c at 10 ms"]);
});

test("retries of a call do not wait again", async () => {
  const { kit, sent, call } = await stage({ traffic: limited({ maxRequests: 1 }) });

  await kit.run(Promise.all([call("/503/10/a"), call("/200/10/b")]));

  expect(sent.map((line) => line.split(" ")[0])).toEqual([
    "/503/10/a",
    "/503/10/a",
    "/503/10/a",
    "/200/10/b",
  ]);
});

test.each([
  ["no limit", null, 9],
  ["none", 0, 3],
  // A second call may begin its retry once the first's is over.
  ["one at a time", 1, 5],
])("retries in flight: %s", async (_name, maxRetries, expected) => {
  const { kit, sent, call } = await stage({ traffic: limited({ maxRetries }) });

  await kit.run(Promise.all(["/503/10/a", "/503/10/b", "/503/10/c"].map((path) => call(path))));

  expect(sent).toHaveLength(expected);
});

test.each([
  [null, 2],
  [0, 1],
])("hedges count as retries: with %j, %i tries", async (maxRetries, expected) => {
  const traffic = limited({ maxRetries }, { hedge: { afterMs: 5, max: 1 } });
  const { kit, sent, call } = await stage({ traffic });

  await kit.run(call("/200/20/a"));

  expect(sent).toHaveLength(expected);
});

test("what a policy denies waits for no turn", async () => {
  const closed: InboundPolicy = { ...PERMISSIVE, authorization: { deny: [], allow: [] } };
  const traffic = limited({ maxRequests: 1, maxPending: 0 });
  const { kit, call } = await stage({ traffic }, closed);

  const responses = await kit.run(Promise.all([call("/200/10/a"), call("/200/10/b")]));

  expect(statuses(responses)).toEqual([403, 403]);
});

test("an endpoint that an earlier host has chosen is that host's to count", async () => {
  const { kit, call } = await stage({ traffic: limited({ maxRequests: 1, maxPending: 0 }) });
  const goal = { kind: "endpoint", service: "shop/reviews", port: 80, endpoint: "a" } as const;

  const own = { goalOf: () => goal };
  const responses = await kit.run(Promise.all([call("/200/10/a", own), call("/200/10/b", own)]));

  expect(statuses(responses)).toEqual([200, 200]);
});

test("a call that waits for nobody any more leaves the queue, and is not sent", async () => {
  const { kit, sent, call } = await stage({ traffic: limited({ maxRequests: 1, maxPending: 1 }) });
  const client = new AbortController();
  const first = call("/200/100/a");
  const leaver = call("/200/10/b", { signal: client.signal });
  await kit.advance(10);

  client.abort();
  await kit.advance(10);
  const next = call("/200/10/c");
  const responses = await kit.run(Promise.all([first, leaver, next]));

  expect(statuses(responses)).toEqual([200, 499, 200]);
  expect(sent.map((line) => line.split(" ")[0])).toEqual(["/200/100/a", "/200/10/c"]);
});

test("gives back what an invocation held that the platform ended", async () => {
  const { kit, sent, call } = await stage({ traffic: limited({ maxRequests: 1 }) });
  const departure = new AbortController();
  const ended = { ...kit.mesh, ports: { ...kit.mesh.ports, departure: () => departure.signal } };
  // Neither the try nor the wait ever goes on.
  const stuck = { ...ended, ports: { ...ended.ports, sleep: () => new Promise<void>(() => undefined) } };
  void carry({ ...ended, ports: { ...ended.ports, send: never } }, get("/200/10/a"), reception());
  await kit.advance(0);
  void carry(stuck, get("/200/10/b"), reception());
  await kit.advance(0);

  departure.abort();
  const { status } = await kit.run(call("/200/10/c"));

  expect([status, sent]).toEqual([200, ["/200/10/c at 0 ms"]]);
  const [service] = [...kit.mesh.state.snapshot.view.units.values()].filter(({ kind }) => kind === "service");
  expect(service?.kind === "service" && [...service.traffic.load.inFlight]).toEqual([]);
});

test("without a policy nothing is counted", async () => {
  const { kit, sent } = setUp(service("reviews"), [unavailable, ok]);

  const { status } = await kit.run(carry(kit.mesh, get(), reception()));

  expect([status, sent.length]).toEqual([200, 2]);
});

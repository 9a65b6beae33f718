import { expect, test } from "vitest";
import { carry } from "../../shared/forward/carry.ts";
import type { Goal } from "../../shared/forward/carry.ts";
import type { MeshKit, Send } from "../fakes/mesh-kit.ts";
import {
  reception,
  setUp,
  ok,
  unavailable,
  broken,
  unreachable,
  never,
  THREE,
  TWO,
  get,
  codeOf,
} from "../fakes/loop.ts";
import { endpoint } from "../engine/endpoints.ts";
import { service, TRAFFIC } from "../fakes/units.ts";

test("tries each time another endpoint, and answers with the first success", async () => {
  const { kit, sent } = setUp(service("reviews", { endpoints: THREE }), [unavailable, broken, ok]);

  const response = await kit.run(carry(kit.mesh, get(), reception()));

  expect(response.status).toBe(200);
  expect(new Set(sent.map(({ line }) => line.slice(0, 1)))).toEqual(new Set(["a", "b", "c"]));
  expect(kit.mesh.state.meter.host.retries).toBe(2);
});

test("avoids what it has tried, however endpoints are chosen", async () => {
  const traffic = { ...TRAFFIC, loadBalancing: { kind: "least-request", choices: 1 } as const };
  const { kit, sent } = setUp(service("reviews", { endpoints: THREE, traffic }), [unavailable]);

  for (let call = 0; call < 4; call++) await kit.run(carry(kit.mesh, get(), reception()));

  const ids = sent.map(({ line }) => line.slice(0, 1));
  const perCall = [0, 3, 6, 9].map((first) => new Set(ids.slice(first, first + 3)).size);
  expect(perCall).toEqual([3, 3, 3, 3]);
});

test("answers with the last failure when the tries are used up", async () => {
  const { kit, sent } = setUp(service("reviews"), [unavailable]);

  const response = await kit.run(carry(kit.mesh, get(), reception()));

  expect([response.status, await response.text(), sent.length]).toEqual([503, "busy", 3]);
});

test.each<[string, () => Promise<Response>, string, number]>([
  ["a broken connection", broken, "upstream.broken", 503],
  ["an endpoint out of reach", unreachable, "upstream.unreachable", 503],
])("answers for %s itself", async (_what, answer, code, status) => {
  const { kit } = setUp(service("reviews"), [answer]);

  const response = await kit.run(carry(kit.mesh, get(), reception()));

  expect(await codeOf(response)).toEqual([status, code]);
});

test.each<[string, RequestInit, () => Promise<Response>, string[]]>([
  ["a POST that may have arrived is not sent twice", { method: "POST", body: "x" }, broken, ["x"]],
  [
    "a small POST that was never sent is sent again, whole",
    { method: "POST", body: "x", headers: { "content-length": "1" } },
    unreachable,
    ["x", "x", "x"],
  ],
  ["a PUT of unknown length is sent once", { method: "PUT", body: "x" }, broken, ["x"]],
  [
    "a small PUT is sent again, whole",
    { method: "PUT", body: "x", headers: { "content-length": "1" } },
    broken,
    ["x", "x", "x"],
  ],
  [
    "a large PUT is sent once",
    { method: "PUT", body: "x".repeat(65_537), headers: { "content-length": "65537" } },
    broken,
    ["x".repeat(65_537)],
  ],
])("%s", async (_what, init, answer, bodies) => {
  const { kit, sent } = setUp(service("reviews"), [answer]);

  await kit.run(carry(kit.mesh, new Request("http://reviews/", init), reception()));

  expect(sent.map(({ body }) => body)).toEqual(bodies);
});

test("holds the body of a PUT that is tried again for its status alone", async () => {
  const retry = { ...TRAFFIC.retry, on: [], statusCodes: [503] };
  const { kit, sent } = setUp(service("reviews", { traffic: { ...TRAFFIC, retry } }), [unavailable]);
  const init = { method: "PUT", body: "x", headers: { "content-length": "1" } };

  await kit.run(carry(kit.mesh, new Request("http://reviews/", init), reception()));

  expect(sent.map(({ body }) => body)).toEqual(["x", "x", "x"]);
});

test("gives up at the request's deadline, whatever tries are left", async () => {
  const traffic = {
    ...TRAFFIC,
    timeouts: { requestMs: 500, perTryMs: 200 },
    retry: { ...TRAFFIC.retry, retries: 9 },
  };
  const { kit, sent } = setUp(service("reviews", { traffic }), [never]);
  await kit.run(carry(kit.mesh, get(), reception({ goalOf: () => ({ kind: "unknown" }) })));
  const before = kit.now();

  const response = await kit.run(carry(kit.mesh, get(), reception()));

  expect(await codeOf(response)).toEqual([504, "upstream.timeout"]);
  expect(kit.now() - before).toBeLessThanOrEqual(500);
  expect(sent.length).toBeGreaterThan(1);
});

test.each([
  ["by a host that lives on", true, { requestMs: 500 }, [true]],
  ["with the invocation of a host that ends then", false, { requestMs: 500 }, [false]],
  ["by any host that may try again", false, { requestMs: 500, perTryMs: 400 }, [true, false]],
])("a try that takes too long is ended %s", async (_name, outlivesCalls, timeouts, expected) => {
  const signals: AbortSignal[] = [];
  const send = (_to: unknown, { signal }: Request): Promise<Response> => {
    signals.push(signal);
    return never();
  };
  const traffic = { ...TRAFFIC, timeouts, retry: { ...TRAFFIC.retry, retries: 1 } };
  const { kit } = setUp(service("reviews", { traffic }), [never], { send, outlivesCalls });

  await kit.run(carry(kit.mesh, get(), reception()));

  expect(signals.map(({ aborted }) => aborted)).toEqual(expected);
});

test.each([8, 16, 32, 64])(
  "loses no call of %i at once when one of two endpoints is suddenly gone",
  async (callers) => {
    let isGone = false;
    const send: Send = async ({ id }) => {
      await kit.mesh.ports.sleep(5);
      return isGone && id === "a" ? unreachable() : ok();
    };
    const { kit } = setUp(service("reviews", { endpoints: TWO }), [], { send });
    const statuses: number[] = [];
    const callOften = async (): Promise<void> => {
      for (let call = 0; call < 12; call++) {
        isGone ||= statuses.length >= callers * 2;
        statuses.push((await carry(kit.mesh, get(), reception())).status);
      }
    };

    await kit.run(Promise.all(Array.from({ length: callers }, callOften)));

    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(kit.mesh.state.meter.host.retries).toBeGreaterThanOrEqual(5);
  },
);

test("an outage sees a fifth more calls than there are, once the first retries are spent", async () => {
  const traffic = { ...TRAFFIC, circuit: { failuresToOpen: 1e9, openForMs: 1, rejects: true } };
  const { kit, sent } = setUp(service("reviews", { traffic }), [unavailable]);

  for (let round = 0; round < 10; round++)
    await kit.run(Promise.all(Array.from({ length: 100 }, () => carry(kit.mesh, get(), reception()))));

  expect(sent.length).toBeGreaterThan(1_100);
  expect(sent.length).toBeLessThanOrEqual(1_200);
  expect(linkedReviews(kit).traffic.load.inFlight.size).toBe(0);
});

function linkedReviews(
  kit: MeshKit,
): Extract<ReturnType<MeshKit["mesh"]["state"]["snapshot"]["view"]["units"]["get"]>, { kind: "service" }> {
  const linked = kit.mesh.state.snapshot.view.units.get("service:shop/reviews");
  if (linked?.kind !== "service") throw new Error("reviews is not loaded");
  return linked;
}

test("opens a circuit, tells the mesh, lets one probe out when it is time, and closes again", async () => {
  const traffic = {
    ...TRAFFIC,
    circuit: { failuresToOpen: 2, openForMs: 10_000, rejects: true },
    retry: { ...TRAFFIC.retry, retries: 0 },
  };
  const { kit, sent } = setUp(service("reviews", { traffic }), [unavailable, unavailable, ok]);
  const call = (): Promise<Response> => kit.run(carry(kit.mesh, get(), reception()));

  await call();
  await call();
  const refused = await call();
  const asked = sent.length;
  kit.control.claimProbe = async () => false;
  await kit.advance(10_000);
  const notOurs = await call();
  kit.control.claimProbe = async () => true;
  await kit.advance(10_000);
  const probe = await call();

  expect([refused.headers.get("retry-after"), await codeOf(refused)]).toEqual(["10", [503, "circuit.open"]]);
  expect(asked).toBe(2);
  expect(await codeOf(notOurs)).toEqual([503, "circuit.open"]);
  expect(probe.status).toBe(200);
  expect(kit.calls.circuits).toEqual([
    { endpoint: "a", reporter: "reporter-1", state: "open", openForMs: 10_000 },
    { endpoint: "a", reporter: "reporter-1", state: "closed" },
  ]);
});

test("a circuit that only steers never shuts out the one endpoint, nor waits for leave to probe it", async () => {
  const traffic = {
    ...TRAFFIC,
    circuit: { failuresToOpen: 1, openForMs: 10_000, rejects: false },
    retry: { ...TRAFFIC.retry, retries: 0 },
  };
  const { kit } = setUp(service("reviews", { traffic }), [unavailable, unavailable, unavailable, ok]);
  let claims = 0;
  kit.control.claimProbe = async () => {
    claims += 1;
    return false;
  };
  const call = (): Promise<Response> => kit.run(carry(kit.mesh, get(), reception()));

  const first = await call();
  const whileOpen = await call();
  await kit.advance(10_000);
  const whileOthersProbe = await call();
  const answered = await call();

  const responses = [first, whileOpen, whileOthersProbe, answered];
  expect(responses.map(({ status }) => status)).toEqual([503, 503, 503, 200]);
  // Only the call that was due as a probe asked for leave.
  expect(claims).toBe(1);
  // All but the last are the endpoint's own answers.
  expect(await Promise.all(responses.slice(0, 3).map((response) => response.text()))).toEqual([
    "busy",
    "busy",
    "busy",
  ]);
});

test("a circuit that steers keeps calls away while others are left", async () => {
  const traffic = {
    ...TRAFFIC,
    circuit: { failuresToOpen: 1, openForMs: 10_000, rejects: false },
    retry: { ...TRAFFIC.retry, retries: 0 },
  };
  const { kit, sent } = setUp(service("reviews", { endpoints: THREE, traffic }), [unavailable, ok]);

  for (let call = 0; call < 7; call++) await kit.run(carry(kit.mesh, get(), reception()));

  const [failing, ...others] = sent.map(({ line }) => line.slice(0, 1));
  expect(others).not.toContain(failing);
  expect(new Set(others).size).toBe(2);
});

test("a probe goes out although the shared circuit cannot be asked", async () => {
  const traffic = {
    ...TRAFFIC,
    circuit: { failuresToOpen: 1, openForMs: 10_000, rejects: true },
    retry: { ...TRAFFIC.retry, retries: 0 },
  };
  const { kit } = setUp(service("reviews", { traffic }), [unavailable, ok]);
  kit.control.claimProbe = never as never;
  await kit.run(carry(kit.mesh, get(), reception()));
  await kit.advance(10_000);

  const response = await kit.run(carry(kit.mesh, get(), reception()));

  expect(response.status).toBe(200);
});

test("uses the one endpoint that another host chose, tries it once, and leaves counting to that host", async () => {
  const { kit, sent } = setUp(service("reviews", { endpoints: THREE }), [unavailable]);
  const goal: Goal = { kind: "endpoint", service: "shop/reviews", port: 80, endpoint: "b" };

  await kit.run(carry(kit.mesh, get(), reception({ goalOf: () => goal })));
  await kit.advance(1_000);

  expect(sent.map(({ line }) => line)).toEqual(["b GET http://reviews/"]);
  expect(kit.calls.reports).toEqual([]);
});

test.each([
  ["a Worker of the mesh that sheds load is well", true, "overload.shed", 0],
  ["a service that only says so is not", false, "overload.shed", 1],
  ["a Worker of the mesh without policies is not", true, "control.unavailable", 1],
])("for circuits %s", async (_name, isJoined, code, opened) => {
  const circuit = { failuresToOpen: 1, openForMs: 10_000, rejects: true };
  const status = `selvedge; error=connection_limit_reached; details="${code}"`;
  const shedding = (): Response => new Response(null, { status: 503, headers: { "proxy-status": status } });
  const endpoints = [endpoint("a", { isJoined })];
  const unit = service("reviews", { endpoints, traffic: { ...TRAFFIC, circuit } });
  const { kit } = setUp(unit, [shedding]);

  await kit.run(carry(kit.mesh, get(), reception()));

  expect(kit.calls.circuits).toHaveLength(opened);
});

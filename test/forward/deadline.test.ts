import { expect, test } from "vitest";
import { carry } from "../../shared/forward/carry.ts";
import { limitSilence } from "../../shared/forward/silence.ts";
import { codeOf, ok, reception, setUp, unavailable } from "../fakes/loop.ts";
import { meshKit } from "../fakes/mesh-kit.ts";
import { service, TRAFFIC } from "../fakes/units.ts";

const DEADLINE = "x-selvedge-deadline-ms";

function withTimeouts(timeouts: typeof TRAFFIC.timeouts) {
  return service("reviews", { traffic: { ...TRAFFIC, timeouts } });
}

test.each<[string, typeof TRAFFIC.timeouts, string | null, boolean, string | null]>([
  ["the route's own", { requestMs: 500 }, null, false, "500"],
  ["a try's, if that is less", { requestMs: 500, perTryMs: 200 }, null, false, "200"],
  ["what an earlier host has left, if that is less", { requestMs: 500 }, "300", false, "300"],
  ["no more than the route's, whatever an earlier host says", { requestMs: 500 }, "900", false, "500"],
  ["what an earlier host has left, where the route has no limit", {}, "300", false, "300"],
  ["what a client asks for, if that is less", { requestMs: 500 }, "300", true, "300"],
  ["the route's own, when a client says nonsense", { requestMs: 500 }, "-1", true, "500"],
  ["nothing, where nobody has a limit", {}, null, false, null],
])("tells the next hop %s", async (...[, timeouts, header, isFromOutside, expected]) => {
  const { kit, sent } = setUp(withTimeouts(timeouts), [ok]);
  const call = (headers: Record<string, string>): Promise<Response> =>
    kit.run(carry(kit.mesh, new Request("http://reviews/", { headers }), reception({ isFromOutside })));
  // So that nothing needs to be loaded within the deadline.
  await call({});

  await call(header === null ? {} : { [DEADLINE]: header });

  expect(sent[1]?.headers.get(DEADLINE)).toBe(expected);
});

test("tells a retry what is left by then", async () => {
  const { kit, sent } = setUp(withTimeouts({ requestMs: 500 }), [ok, unavailable, ok]);
  await kit.run(carry(kit.mesh, new Request("http://reviews/"), reception()));
  const before = kit.now();

  await kit.run(carry(kit.mesh, new Request("http://reviews/"), reception()));

  const left = sent.slice(1).map(({ headers }) => Number(headers.get(DEADLINE)));
  expect(left).toEqual([500, 500 - (kit.now() - before)]);
});

test.each<[string, Record<string, string>, readonly [number, string | null]]>([
  ["as long as that host's route lets it", { [DEADLINE]: "1000" }, [200, "1000"]],
  ["without a limit where that route has none", {}, [200, null]],
  ["no longer than that host waits", { [DEADLINE]: "100" }, [504, "100"]],
])("an endpoint that an earlier host has chosen may take %s", async (_name, headers, expected) => {
  const slow = async (): Promise<Response> => {
    await kit.mesh.ports.sleep(300);
    return ok();
  };
  const { kit, sent } = setUp(withTimeouts({ requestMs: 200 }), [ok, slow]);
  const goal = { kind: "endpoint", service: "shop/reviews", port: 80, endpoint: "a" } as const;
  const call = (fields: Record<string, string>): Promise<Response> =>
    kit.run(
      carry(kit.mesh, new Request("http://reviews/", { headers: fields }), reception({ goalOf: () => goal })),
    );
  await call({});

  const { status } = await call(headers);

  expect([status, sent[1]?.headers.get(DEADLINE) ?? null]).toEqual(expected);
});

test("a call whose time is over is answered at once and not sent", async () => {
  const { kit, sent } = setUp(withTimeouts({}), [ok]);
  const request = new Request("http://reviews/", { headers: { [DEADLINE]: "0" } });

  const response = await kit.run(carry(kit.mesh, request, reception()));

  expect([await codeOf(response), sent]).toEqual([[504, "upstream.timeout"], []]);
});

test.each([
  ["retries itself without one", {}, 3],
  ["leaves retries to the earlier host that makes them", { "x-selvedge-retry": "owned" }, 1],
])("a host %s", async (_name, headers, tries) => {
  const { kit, sent } = setUp(service("reviews"), [unavailable]);

  await kit.run(carry(kit.mesh, new Request("http://reviews/", { headers }), reception()));

  expect(sent).toHaveLength(tries);
});

test("a client cannot have retries turned off for what a gateway does", async () => {
  const { kit, sent } = setUp(service("reviews"), [unavailable]);
  const request = new Request("http://reviews/", { headers: { "x-selvedge-retry": "owned" } });

  await kit.run(carry(kit.mesh, request, reception({ isFromOutside: true })));

  expect(sent).toHaveLength(3);
});

test("a body goes on as long as something comes in time, and breaks off when it falls silent", async () => {
  const kit = meshKit();
  const { ports } = kit.mesh;
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>({
    start: async (controller) => {
      for (const word of ["a", "b", "c"]) {
        await ports.sleep(90);
        controller.enqueue(new TextEncoder().encode(word));
      }
    },
    cancel: () => {
      isCancelled = true;
    },
  });
  const reader = limitSilence(ports, new Response(body), 100).body?.getReader();

  const words: string[] = [];
  for (let word = 0; word < 3; word++) {
    const chunk = await kit.run(reader?.read() ?? Promise.reject(new Error("no body")));
    words.push(new TextDecoder().decode(chunk.value));
  }
  const silent = kit.run(Promise.resolve(reader?.read())).catch((error: unknown) => String(error));

  expect(words).toEqual(["a", "b", "c"]);
  expect(await silent).toContain("nothing came for 100 ms");
  expect(isCancelled).toBe(true);
});

test("a slow reader is no silence", async () => {
  const kit = meshKit();
  const response = limitSilence(kit.mesh.ports, new Response("whole"), 100);

  await kit.advance(10_000);

  expect(await kit.run(response.text())).toBe("whole");
});

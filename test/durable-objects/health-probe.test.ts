import { env as bindings } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import type { Env } from "../../durable-objects/env.ts";
import { probe, type ProbeContext } from "../../durable-objects/health-probe.ts";
import { parseAddress } from "../../shared/wire/address.ts";
import type { CheckTarget } from "../../shared/wire/rpc.ts";
import { VERSION } from "../../shared/wire/version.ts";

afterEach(() => vi.restoreAllMocks());

type Answer = (request: Request) => Response | Promise<Response>;

/** The mesh's bindings, with Workers `CART` and, in the dispatch namespace, `cart` that answer so. */
function envWith(answer: Answer): Env {
  const worker = { fetch: async (request: Request) => answer(request) };
  return { ...bindings, CART: worker, DISPATCH: { get: () => worker } } as unknown as Env;
}

function target(text: string): CheckTarget {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return { id: "a", address: parsed.address };
}

function context(answer: Answer, overrides: Partial<ProbeContext> = {}): ProbeContext {
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input) => answer(input as Request));
  return {
    env: envWith(answer),
    probe: { kind: "http", path: "/healthz", host: null, statuses: [{ first: 200, last: 299 }] },
    timeoutMs: 500,
    serviceHost: "cart.shop",
    ...overrides,
  };
}

test.each([
  ["https://cart.example:8443", null, "https://cart.example:8443/healthz"],
  ["https://cart.example", "other.test", "https://cart.example/healthz"],
  ["binding:CART", null, "http://cart.shop/healthz"],
  ["binding:CART", "other.test", "http://other.test/healthz"],
  ["dispatch:cart", null, "http://cart.shop/healthz"],
])("%s with host %s is asked for %s, without identity", async (address, host, url) => {
  const seen: unknown[] = [];
  const asked = context((request) => {
    seen.push([request.method, request.url, request.redirect, Object.fromEntries(request.headers)]);
    return new Response(null, { status: 204 });
  });
  const statuses = [{ first: 200, last: 299 }];
  const result = await probe(
    { ...asked, probe: { kind: "http", path: "/healthz", host, statuses } },
    target(address),
  );
  expect(result).toEqual({ ok: true });
  const headers = { accept: "*/*", "user-agent": `selvedge-health/${VERSION}` };
  expect(seen).toEqual([["GET", url, "manual", expect.objectContaining(headers)]]);
  expect(JSON.stringify(seen)).not.toMatch(/authorization|x-selvedge|cookie/);
});

test.each([
  [new Response(null, { status: 503 }), "status 503"],
  [new Response(null, { status: 404 }), "status 404"],
  [Response.redirect("https://elsewhere.example/", 302), "status 302"],
])("what is not expected is a failure and says why: %#", async (response, reason) => {
  expect(
    await probe(
      context(() => response),
      target("https://cart.example"),
    ),
  ).toEqual({ ok: false, reason });
});

test("a body is cancelled unread", async () => {
  const cancel = vi.fn<() => void>();
  const pull = vi.fn<() => void>();
  const body = new ReadableStream({ pull, cancel }, { highWaterMark: 0 });
  expect(
    await probe(
      context(() => new Response(body)),
      target("binding:CART"),
    ),
  ).toEqual({ ok: true });
  expect([pull.mock.calls.length, cancel.mock.calls.length]).toEqual([0, 1]);
});

test("one that never answers is late, even if it does not heed the signal", async () => {
  const stuck = context(() => new Promise<Response>(() => undefined), { timeoutMs: 20 });
  expect(await probe(stuck, target("binding:CART"))).toEqual({ ok: false, reason: "no answer within 20 ms" });
});

test.each([
  ["a connection that fails", "https://cart.example", "refused"],
  ["a Worker that throws", "binding:CART", "refused"],
  ["a binding that is not there", "binding:NONE", "the mesh's Worker has no binding NONE"],
  ["a binding that is no Worker", "binding:TEXT", "the mesh's Worker has no binding TEXT"],
])("%s is a failure", async (_name, address, reason) => {
  const refusing = context(() => {
    throw new Error("refused");
  });
  const env = { ...refusing.env, TEXT: "text" } as unknown as Env;
  expect(await probe({ ...refusing, env }, target(address))).toEqual({ ok: false, reason });
});

test.each(["tcp", "grpc"] as const)("a Worker has no port for %s", async (kind) => {
  const asked = context(() => new Response(), { probe: kind === "tcp" ? { kind } : { kind, service: "" } });
  expect(await probe(asked, target("binding:CART"))).toEqual({ ok: false, reason: "a Worker has no port" });
});

/** What only one of the hosts does. */
import { describe, expect, test } from "vitest";
import { gateway, gatewayRoutes, served } from "./documents.ts";
import { ask } from "./http.ts";
import type { Reply } from "./http.ts";
import { codeOf, eventually, startSuite } from "./suite.ts";
import { echo, startUpstream } from "./upstream.ts";
import { upgrade } from "./websocket.ts";

const suite = startSuite();

describe("only at the edge", () => {
  test.each([
    ["no identity", {}, [401, "authn.missing"]],
    ["a token that is none", { authorization: "Bearer x" }, [401, "authn.missing"]],
    ["a forged peer token", { "x-selvedge-peer": "a.b.c" }, [401, "authn.token.invalid"]],
    ["a loop", { "x-selvedge-hops": "9" }, [508, "loop.detected"]],
    ["an alias of our header", { x_selvedge_peer: "1" }, [400, "header.invalid"]],
  ])("refuses %s", async (_what, headers, expected) => {
    const reply = await ask(suite.mesh.runtime.port, "/", {
      headers: { host: "callee.conformance.mesh.test", ...headers },
    });

    expect(codeOf(reply)).toEqual(expected);
  });

  test.each([
    ["/a/../b", "path.noncanonical"],
    ["/a%2fb", "path.encoded"],
    ["/a/..%5cb", "path.encoded"],
    ["/%252e%252e/b", "path.encoded"],
  ])("refuses the path %s", async (path, code) => {
    const reply = await ask(suite.mesh.runtime.port, path, {
      headers: { host: "callee.conformance.mesh.test" },
    });

    expect(codeOf(reply)).toEqual([400, code]);
  });

  test("lets a gateway call services under its own identity", async () => {
    const upstream = await startUpstream(echo);
    await suite.mesh.apply(
      ...served("web", upstream.url),
      gateway("front", "www.front.test"),
      gatewayRoutes("front", {
        matches: [{ path: { value: "/shop" } }],
        backendRefs: [{ name: "web", port: 80 }],
      }),
    );
    const get = (path: string): Promise<Reply> =>
      ask(suite.mesh.runtime.port, path, {
        headers: { host: "www.front.test", "x-forwarded-for": "1.2.3.4" },
      });

    const seen = await eventually(
      () => get("/shop/1"),
      ({ status }) => status === 200,
    );

    expect(JSON.parse(seen.body)).toMatchObject({
      path: "/shop/1",
      headers: {
        "x-forwarded-client-cert": expect.stringContaining(
          "URI=spiffe://selvedge.test/ns/conformance/sa/front",
        ),
        "x-forwarded-host": "www.front.test",
      },
    });
    expect(JSON.parse(seen.body).headers["x-forwarded-for"]).toBeUndefined();
    expect(codeOf(await get("/other"))).toEqual([404, "route.none"]);
  });

  test("passes WebSockets", async () => {
    const headers = { host: "callee.conformance.mesh.test", authorization: `Bearer ${suite.token}` };

    expect(await upgrade(suite.mesh.runtime.port, "/", headers, "hello")).toBe("echo hello");
  });
});

describe("only at a joined Worker", () => {
  test("refuses callers from outside that nobody vouches for", async () => {
    const reply = await ask(suite.mesh.runtime.socket("callee").port, "/", { headers: { host: "callee" } });

    expect(codeOf(reply)).toEqual([401, "authn.missing"]);
  });

  test("refuses a token that is for somebody else", async () => {
    const headers = { host: "callee", "x-selvedge-peer": suite.token };

    const reply = await ask(suite.mesh.runtime.socket("callee").port, "/", { headers });

    expect(codeOf(reply)).toEqual([401, "authn.token.invalid"]);
  });
});

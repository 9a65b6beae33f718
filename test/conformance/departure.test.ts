/** Callers that go before they are answered, through both hosts. */
import { connect } from "node:net";
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { served, traffic } from "./documents.ts";
import { describeHosts, eventually } from "./suite.ts";
import type { Suite } from "./suite.ts";
import { silent, startUpstream } from "./upstream.ts";

/** How long an upstream may work for nobody. */
const WITHIN_MS = 1_000;

/**
 * Sends a call of which nobody reads the answer. To go, the client resets the
 * connection: a closed one might be half-closed, and still wait.
 */
function send({ host, mesh, token }: Suite, service: string): Socket {
  const isEdge = host === "edge";
  const name = isEdge ? `${service}.conformance.mesh.test` : "caller";
  const { port } = isEdge ? mesh.runtime : mesh.runtime.socket("caller");
  const own = isEdge ? `authorization: Bearer ${token}` : `x-call: http://${service}/`;
  const socket = connect(port, "127.0.0.1");
  socket.write(`GET / HTTP/1.1\r\nhost: ${name}\r\n${own}\r\n\r\n`);
  return socket;
}

describeHosts((suite) => {
  test("the upstream's request ends with the client's", async () => {
    const upstream = await startUpstream(silent);
    const name = suite.named("left");
    await suite.mesh.apply(...served(name, upstream.url), traffic(name, { timeouts: { request: "0s" } }));
    const sockets = Array.from({ length: 8 }, () => send(suite, name));
    await eventually(
      () => upstream.seen.length,
      (count) => count === sockets.length,
    );

    const goneAt = performance.now();
    for (const socket of sockets) socket.resetAndDestroy();
    const left = await eventually(
      () => upstream.open(),
      (count) => count === 0,
    );

    expect([upstream.seen.length, left]).toEqual([8, 0]);
    expect(performance.now() - goneAt).toBeLessThan(WITHIN_MS);
  });

  test("clients that go make room for others, and leave the queue", async () => {
    const upstream = await startUpstream((seen, response) => void (seen.path === "/quick" && response.end()));
    const name = suite.named("crowded");
    const concurrency = { maxRequests: 1, maxPendingRequests: 2 };
    await suite.mesh.apply(
      ...served(name, upstream.url),
      traffic(name, { concurrency, timeouts: { request: "0s" } }),
    );
    const clients = [send(suite, name)];
    await eventually(
      () => upstream.seen.length,
      (count) => count === 1,
    );
    const full = await eventually(
      async () => {
        clients.push(send(suite, name));
        // Most likely the client stands in the queue when this is answered; else the next one will.
        await suite.call("callee", "/");
        return suite.call(name, "/quick", { headers: { "x-selvedge-deadline-ms": "100" } });
      },
      ({ status }) => status === 503,
    );

    for (const client of clients) client.resetAndDestroy();
    const after = await eventually(
      () => suite.call(name, "/quick"),
      ({ status }) => status === 200,
    );

    expect([full.headers["proxy-status"], after.status]).toEqual([
      'selvedge; error=connection_limit_reached; details="overload.pending"',
      200,
    ]);
    expect(upstream.seen.map(({ path }) => path)).toEqual(["/", "/quick"]);
  });
});

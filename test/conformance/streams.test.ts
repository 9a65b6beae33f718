/** Connections and bodies that last, through routes of both hosts. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { gateway, gatewayRoutes, routes, served, service } from "./documents.ts";
import { ask } from "./http.ts";
import { describeHosts, eventually } from "./suite.ts";
import type { Suite } from "./suite.ts";

const MEGABYTE = 2 ** 20;
const SIZE = 100 * MEGABYTE;

/** A service instance that does with each request what `answer` says, from its first byte on. */
async function listen(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return `http://127.0.0.1:${address.port}`;
}

/** Applies a service that a route of another one leads to; answers with that one's name. */
async function routed({ mesh, named }: Suite, word: string, url: string): Promise<string> {
  await mesh.apply(
    ...served(named(`${word}-main`), url),
    service(named(word)),
    routes(named(word), { backendRefs: [{ name: named(`${word}-main`), port: 80 }] }),
  );
  return named(word);
}

/** Where a host takes calls to a service, and by which fields. */
function addressOf({ host, mesh, token }: Suite, name: string) {
  return host === "edge"
    ? {
        port: mesh.runtime.port,
        headers: { host: `${name}.conformance.mesh.test`, authorization: `Bearer ${token}` },
      }
    : { port: mesh.runtime.socket("caller").port, headers: { host: "caller", "x-call": `http://${name}/` } };
}

/** Sends a request to a service and answers as soon as the response headers are there. */
function open(suite: Suite, name: string, method = "GET", body?: Readable): Promise<IncomingMessage> {
  const { port, headers } = addressOf(suite, name);
  return new Promise((resolve, reject) => {
    const opening = httpRequest({ port, host: "127.0.0.1", method, headers }, resolve);
    opening.on("error", reject);
    if (body === undefined) opening.end();
    else pipeline(body, opening).catch(reject);
  });
}

/** The most memory that the runtime has ever had. */
function peakBytes({ mesh }: Suite): number {
  const status = readFileSync(`/proc/${mesh.runtime.pid}/status`, "utf8");
  return Number(/VmHWM:\s+([0-9]+) kB/.exec(status)?.[1]) * 1024;
}

/** `SIZE` bytes, made as they are read. */
function* pieces(): Generator<Buffer> {
  const piece = Buffer.alloc(64 * 1024, "0123456789abcdef");
  for (let sent = 0; sent < SIZE; sent += piece.length) yield piece;
}

const EXPECTED = hashOf(pieces());

function hashOf(buffers: Iterable<Buffer>): string {
  const hash = createHash("sha256");
  for (const buffer of buffers) hash.update(buffer);
  return hash.digest("hex");
}

async function hashOfStream(stream: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest("hex");
}

/** Waits until a number has stayed the same for a while: what is not being read has filled all buffers then. */
async function stillness(look: () => number): Promise<void> {
  for (let before = -1; before !== look();) {
    before = look();
    await setTimeout(200);
  }
}

async function opened(socket: WebSocket): Promise<void> {
  await Promise.race([
    once(socket, "open"),
    once(socket, "error").then(() => Promise.reject(new Error("the WebSocket was not opened"))),
  ]);
}

describeHosts((suite) => {
  test("events of a stream arrive one by one, as they are sent", async () => {
    const streams: ServerResponse[] = [];
    const url = await listen((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.flushHeaders();
      streams.push(response);
    });
    const response = await open(suite, await routed(suite, "events", url));

    const events = response[Symbol.asyncIterator]();
    const seen: string[] = [];
    // Each is sent only when the one before has arrived: a host that gathered them would never get on.
    for (const event of ["one", "two", "three"]) {
      streams[0]?.write(`data: ${event}\n\n`);
      const { value } = await events.next();
      seen.push(String(value));
    }
    response.destroy();

    expect(response.headers["content-type"]).toBe("text/event-stream");
    expect(seen).toEqual(["data: one\n\n", "data: two\n\n", "data: three\n\n"]);
  });

  test("request and response stream at the same time", async () => {
    const url = await listen((request, response) => void request.pipe(response));
    const name = await routed(suite, "duplex", url);
    const body = new Readable({ read: () => undefined });
    body.push("begin");
    const response = await open(suite, name, "POST", body);

    const chunks = response[Symbol.asyncIterator]();
    const seen = [String((await chunks.next()).value)];
    body.push("more");
    seen.push(String((await chunks.next()).value));
    body.push(null);
    const { done } = await chunks.next();

    expect([seen, done]).toEqual([["begin", "more"], true]);
  });

  test("a hundred megabytes go up and come down whole, and nobody holds them", async () => {
    const url = await listen((request, response) => {
      if (request.method === "GET") return void Readable.from(pieces()).pipe(response);
      return void hashOfStream(request).then((hash) => response.end(hash));
    });
    const name = await routed(suite, "large", url);
    const before = peakBytes(suite);

    const up = await open(suite, name, "PUT", Readable.from(pieces()));
    const received = (await up.toArray()).join("");
    const down = await hashOfStream(await open(suite, name));
    const grown = peakBytes(suite) - before;

    expect([received, down]).toEqual([EXPECTED, EXPECTED]);
    expect(grown).toBeLessThan(SIZE / 2);
  });

  test("a body that nobody reads is not pulled", async () => {
    let sent = 0;
    const url = await listen((_request, response) => {
      const source = Readable.from(counted());
      response.on("close", () => source.destroy());
      source.pipe(response);
    });
    function* counted(): Generator<Buffer> {
      for (const piece of pieces()) {
        sent += piece.length;
        yield piece;
      }
    }
    const response = await open(suite, await routed(suite, "unread", url));

    await stillness(() => sent);
    response.destroy();

    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(SIZE / 2);
  });

  test("a WebSocket passes through a route, text and bytes in both directions", async () => {
    const name = suite.named("socket");
    await suite.mesh.apply(
      service(name),
      routes(name, { backendRefs: [{ name: "callee", port: 80 }] }),
      // A WebSocket client writes the Host itself: what it calls the edge must be a gateway's name.
      gateway("localhost", "localhost"),
      gatewayRoutes("localhost", { backendRefs: [{ name: "callee", port: 80 }] }),
    );
    const { port, headers } = addressOf(suite, name);
    const own = suite.host === "edge" ? {} : headers;
    await eventually(
      () => ask(port, "/", { headers: { host: "localhost", ...own } }),
      ({ status }) => status === 200,
    );
    const socket = new WebSocket(`ws://localhost:${port}/`, { headers: own });
    onTestFinished(() => socket.close());
    await opened(socket);
    socket.binaryType = "arraybuffer";

    const answers: unknown[] = [];
    for (const message of ["hello", "x".repeat(70_000), Buffer.from([0, 1, 255])]) {
      const answering = once(socket, "message");
      socket.send(message);
      const [event] = await answering;
      answers.push(event.data instanceof ArrayBuffer ? Buffer.from(event.data) : event.data);
    }

    expect(answers).toEqual(["echo hello", `echo ${"x".repeat(70_000)}`, Buffer.from([0, 1, 255])]);
  });
});

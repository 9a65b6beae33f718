/** Calls that are open when their caller is not let in any more, through both hosts. */
import { request as httpRequest } from "node:http";
import type { ClientRequest, IncomingMessage, RequestListener } from "node:http";
import { createServer } from "node:http";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { gateway, gatewayRoutes, policy, served, traffic } from "./documents.ts";
import { ask } from "./http.ts";
import { describeHosts, eventually } from "./suite.ts";
import type { Suite } from "./suite.ts";

const CALLER = { source: { principals: ["cluster.local/ns/conformance/sa/caller"] } };

/** What becomes of requests that an upstream gets. */
interface Fate {
  opened: number;
  /** Over, whole or not: an upload that is broken off may look like one that has ended. */
  over: number;
}

/** Takes requests and does with each what `answer` says. */
async function listen(answer: RequestListener): Promise<{ url: string; fate: Fate }> {
  const fate: Fate = { opened: 0, over: 0 };
  const server = createServer((request, response) => {
    fate.opened += 1;
    response.on("close", () => (fate.over += 1));
    request.on("error", () => undefined);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return { url: `http://127.0.0.1:${address.port}`, fate };
}

interface Sent {
  readonly request: ClientRequest;
  readonly response: Promise<IncomingMessage>;
}

/** Begins a request to a service; with `isEndless` its body goes on until the request ends. */
function send(
  { host, mesh, token }: Suite,
  url: string,
  fields: Readonly<Record<string, string>>,
  isEndless = true,
): Sent {
  const { hostname, pathname } = new URL(url);
  const { port, path, headers } =
    host === "edge"
      ? {
          port: mesh.runtime.port,
          path: pathname,
          headers: { host: `${hostname}.conformance.mesh.test`, authorization: `Bearer ${token}` },
        }
      : { port: mesh.runtime.socket("caller").port, path: "/", headers: { host: "caller", "x-call": url } };
  const own = { ...headers, ...fields };
  const request = httpRequest({ port, path, host: "127.0.0.1", method: "POST", headers: own });
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.on("response", resolve);
    request.on("error", reject);
  });
  // Looked at by those that wait for it.
  response.catch(() => undefined);
  const writing = isEndless ? setInterval(() => request.write("more"), 20) : null;
  if (writing === null) request.end();
  const stop = (): void => clearInterval(writing ?? undefined);
  request.on("close", stop);
  onTestFinished(() => {
    stop();
    request.destroy();
  });
  return { request, response };
}

/** Counts what comes of a body, and notes its end. */
function follow(response: IncomingMessage) {
  const seen = { bytes: 0, end: "" };
  response.on("data", (chunk: Buffer) => (seen.bytes += chunk.length));
  response.on("end", () => (seen.end = "whole"));
  response.on("error", () => (seen.end = "broken"));
  return seen;
}

let denials = 0;

/** The caller is not let in any more at a path from now on. */
async function deny({ mesh }: Suite, app: string, path: string): Promise<void> {
  const rules = [{ from: [CALLER], to: [{ operation: { paths: [path] } }] }];
  const { metadata, ...rest } = policy(app, { action: "DENY", rules });
  await mesh.apply({ ...rest, metadata: { ...metadata, name: `denial-${++denials}` } });
}

describeHosts((suite) => {
  const GRPC = { "content-type": "application/grpc", te: "trailers" };

  test("a gRPC stream is broken off for both ends", async () => {
    const { url, fate } = await listen((request, response) => {
      response.writeHead(200, GRPC);
      response.flushHeaders();
      request.pipe(response);
    });
    const name = suite.named("grpc");
    await suite.mesh.apply(...served(name, url));
    const seen = follow(await send(suite, `http://${name}/s.v1.S/Chat`, GRPC).response);
    await eventually(
      () => seen.bytes,
      (bytes) => bytes > 0,
    );

    await deny(suite, name, "/s.v1.S/Chat");

    const ends = await eventually(
      () => [seen.end, fate.over],
      ([end, over]) => end !== "" && over !== 0,
    );
    expect(ends).toEqual(["broken", 1]);
  });

  test.each(["upload", "wait"])("a call without time-outs is answered with the refusal: %s", async (what) => {
    const { url, fate } = await listen((request) => void request.resume());
    const name = suite.named(what);
    await suite.mesh.apply(...served(name, url), traffic(name, { timeouts: { request: "0s" } }));
    const sent = send(suite, `http://${name}/`, {}, what === "upload");
    await eventually(
      () => fate.opened,
      (opened) => opened === 1,
    );

    await deny(suite, name, "/");

    const { statusCode } = await sent.response;
    const over = await eventually(
      () => fate.over,
      (count) => count === 1,
    );
    expect([statusCode, over]).toEqual([403, 1]);
  });

  test("a stream of a joined Worker is broken off", async () => {
    const path = `/${suite.named("echo")}`;
    const seen = follow(await send(suite, `http://callee${path}`, { "x-body": "echo" }).response);
    const bytes = await eventually(
      () => seen.bytes,
      (count) => count > 0,
    );

    await deny(suite, "callee", path);

    const end = await eventually(
      () => seen.end,
      (one) => one !== "",
    );
    expect([bytes > 0, end]).toEqual([true, "broken"]);
  });

  test("an upload that a joined Worker reads is answered with the refusal", async () => {
    const path = `/${suite.named("read")}`;
    await suite.mesh.apply(traffic("callee", { timeouts: { request: "0s" } }));
    // A Worker sees what is left of a call's time, where that is limited.
    await eventually(
      () => suite.call("callee", "/"),
      ({ body }) => !body.includes("x-selvedge-deadline-ms"),
    );
    const state = { isAnswered: false };
    const { request, response } = send(suite, `http://callee${path}`, { "x-body": "read" });
    void response.then(() => (state.isAnswered = true));
    const closing = once(request, "close");
    await setTimeout(2_000);
    const wasAnswered = state.isAnswered;

    await deny(suite, "callee", path);

    const answer = await response;
    answer.resume();
    await closing;
    expect([wasAnswered, answer.statusCode]).toEqual([false, 403]);
  });

  test("a WebSocket to a joined Worker is closed with 1008", async () => {
    const path = `/${suite.named("socket")}`;
    const isEdge = suite.host === "edge";
    await suite.mesh.apply(
      gateway("localhost", "localhost"),
      gatewayRoutes("localhost", { backendRefs: [{ name: "callee", port: 80 }] }),
    );
    const { port } = isEdge ? suite.mesh.runtime : suite.mesh.runtime.socket("caller");
    const headers = isEdge
      ? { authorization: `Bearer ${suite.token}` }
      : { "x-call": `http://callee${path}` };
    await eventually(
      () => ask(port, "/", { headers: { host: "localhost", ...headers } }),
      ({ status }) => status === 200,
    );
    const socket = new WebSocket(`ws://localhost:${port}${path}`, { headers });
    onTestFinished(() => socket.close());
    await once(socket, "open");
    const answering = once(socket, "message");
    socket.send("hello");
    const [{ data }] = await answering;
    const closing = once(socket, "close");

    await deny(suite, "callee", path);

    const [{ code }] = await closing;
    expect([data, code]).toEqual(["echo hello", 1008]);
  });
});

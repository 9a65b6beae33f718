/** WebSockets and streams of events that are open when a policy or a revocation changes. */
import { createServer, request as ask, type IncomingMessage, type ServerResponse } from "node:http";
import { createHash } from "node:crypto";
import type { Duplex } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { applyDocuments, clientOf, startMesh } from "./bookinfo.ts";
import { until } from "./http-client.ts";

const HOST = "live.bookinfo.mesh.localhost";

/** Answers upgrades with an echo, and anything else with events without end. */
async function startLive(): Promise<string> {
  const server = createServer((_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const ticking = setInterval(() => response.write("data: tick\n\n"), 50);
    response.on("close", () => clearInterval(ticking));
  });
  server.on("upgrade", ({ headers }, socket: Duplex) => {
    const key = `${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    // Whatever comes, a short text goes back.
    socket.on("data", (frame: Buffer) => {
      if ((frame[0] ?? 0) === 0x81) socket.write(Buffer.from([0x81, 4, ...Buffer.from("pong")]));
      else socket.end(Buffer.from([0x88, 0]));
    });
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const at = server.address();
  return typeof at === "object" && at !== null ? `http://127.0.0.1:${at.port}` : "";
}

interface Open {
  /** What came so far. */
  received(): Buffer;
  isClosed(): boolean;
  send(bytes: Buffer): void;
}

/** Opens a call; resolves once its first bytes are there. */
function open(port: number, token: string, fields: Readonly<Record<string, string>>): Promise<Open> {
  return new Promise((resolve, reject) => {
    const headers = { host: HOST, authorization: `Bearer ${token}`, ...fields };
    const opening = ask({ host: "127.0.0.1", port, path: "/live", headers });
    const read = (stream: Duplex | IncomingMessage, head: Buffer, send: Open["send"]): void => {
      const chunks = [head];
      const state = { isClosed: false };
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("close", () => (state.isClosed = true));
      stream.on("error", () => (state.isClosed = true));
      onTestFinished(() => void stream.destroy());
      resolve({ received: () => Buffer.concat(chunks), isClosed: () => state.isClosed, send });
    };
    opening.on("upgrade", (_answer, socket: Duplex, head) =>
      read(socket, head, (bytes) => socket.write(bytes)),
    );
    opening.on("response", (answer) => {
      if (answer.statusCode === 200) read(answer, Buffer.alloc(0), () => undefined);
      else reject(new Error(`status ${answer.statusCode}`));
    });
    opening.on("error", reject);
    opening.end();
  });
}

const SOCKET = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};
const PING = Buffer.from([0x81, 0x84, 0, 0, 0, 0, ...Buffer.from("ping")]);

function named(apiVersion: string, kind: string, spec: unknown) {
  return { apiVersion, kind, metadata: { name: "live", labels: { app: "live" } }, spec };
}

async function start() {
  const address = await startLive();
  const runtime = await startMesh();
  const client = clientOf(runtime);
  const allow = (...names: readonly string[]) =>
    named("security.istio.io/v1", "AuthorizationPolicy", {
      selector: { matchLabels: { app: "live" } },
      rules: [
        { from: [{ source: { principals: names.map((name) => `cluster.local/ns/bookinfo/sa/${name}`) } }] },
      ],
    });
  await applyDocuments(client, [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "bookinfo" } },
    named("v1", "Service", { selector: { app: "live" }, ports: [{ port: 80 }] }),
    named("selvedge.dev/v1", "Endpoint", { address }),
    allow("in", "out"),
  ]);
  const token = async (name: string) => {
    const answer = z.object({ token: z.string() });
    const body = { workload: `bookinfo/${name}` };
    return (await client.call({ method: "POST", path: "/tokens", body, answer })).token;
  };
  const calls = async (name: string) => {
    const bearer = await token(name);
    // The first may come before the configuration has arrived.
    const socket = await until(
      () => open(runtime.port, bearer, SOCKET).catch(() => null),
      (opened) => opened !== null,
    );
    if (socket === null) throw new Error("no WebSocket");
    return { socket, events: await open(runtime.port, bearer, {}) };
  };
  return { client, allow, calls };
}

/** The close code of the last frame that came; 0 without one. */
function closeCode(bytes: Buffer): number {
  const at = bytes.lastIndexOf(0x88);
  return at === -1 || bytes.length < at + 4 ? 0 : bytes.readUInt16BE(at + 2);
}

async function expectCut({ socket, events }: { socket: Open; events: Open }): Promise<void> {
  const look = () => [closeCode(socket.received()), events.isClosed()];
  expect(await seen(look, ([code, isClosed]) => code !== 0 && isClosed === true)).toEqual([1008, true]);
}

/** Looks again and again, and lets sockets bring something in between. */
function seen<Result>(look: () => Result, accept: (result: Result) => boolean): Promise<Result> {
  return until(() => setTimeout(10).then(look), accept);
}

/** It still brings what the service sends. */
async function expectOpen({ socket, events }: { socket: Open; events: Open }): Promise<void> {
  const before = [socket.received().length, events.received().length] as const;
  socket.send(PING);
  const grown = await seen(
    () => [socket.received().length > before[0], events.received().length > before[1]],
    (isGrown) => isGrown.every(Boolean),
  );
  expect([grown, socket.isClosed(), events.isClosed()]).toEqual([[true, true], false, false]);
}

test("a policy that does not let a caller in any more cuts its open calls, and no others", async () => {
  const { client, allow, calls } = await start();
  const [kept, cut] = [await calls("in"), await calls("out")];
  await expectOpen(kept);
  await expectOpen(cut);

  await applyDocuments(client, [allow("in")]);

  await expectCut(cut);
  await expectOpen(kept);
});

test("revoking what a caller was issued cuts its open calls, and no others", async () => {
  const { client, calls } = await start();
  const [kept, cut] = [await calls("in"), await calls("out")];

  const body = { kind: "identity", value: "bookinfo/out" };
  await client.call({ method: "POST", path: "/ca/revocations", body, answer: z.unknown() });

  await expectCut(cut);
  await expectOpen(kept);
});

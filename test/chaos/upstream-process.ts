/**
 * The upstreams of a chaos run: HTTP servers in a process of their own, which
 * behave as they are told from message to message.
 *
 * @module
 */
import http from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import { seeded } from "../engine/random.ts";
import { type Behavior, type Fault, type Order, type Report, WELL } from "./behavior.ts";

interface Upstream {
  readonly name: string;
  readonly server: http.Server;
  readonly sockets: Set<Socket>;
  readonly random: () => number;
  /** When requests came in, since the last look. */
  arrivals: number[];
  behavior: Behavior;
  port: number;
}

const upstreams = new Map<string, Upstream>();

process.on("message", (order: Order) => {
  void obey(order).then((values) => process.send?.({ id: order.id, values } satisfies Report));
});
process.on("disconnect", () => process.exit(0));

async function obey(order: Order): Promise<readonly number[]> {
  switch (order.kind) {
    case "start":
      return Promise.all(order.names.map((name, n) => start(name, order.seed + n)));
    case "behave":
      await behave(known(order.name), order.behavior);
      return [];
    case "arrivals":
      return takeArrivals(known(order.name));
  }
}

function known(name: string): Upstream {
  const upstream = upstreams.get(name);
  if (upstream === undefined) throw new Error(`there is no upstream ${name}`);
  return upstream;
}

async function start(name: string, seed: number): Promise<number> {
  const server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    upstream.arrivals.push(Date.now());
    request.resume();
    void answer(upstream, response);
  });
  const upstream: Upstream = {
    name,
    server,
    sockets: new Set(),
    random: seeded(seed),
    arrivals: [],
    behavior: WELL,
    port: 0,
  };
  server.on("connection", (socket: Socket) => {
    upstream.sockets.add(socket);
    socket.on("close", () => upstream.sockets.delete(socket));
  });
  await listen(upstream);
  upstreams.set(name, upstream);
  return upstream.port;
}

async function listen(upstream: Upstream): Promise<void> {
  const { server, port } = upstream;
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", 1024, resolve));
  upstream.port = (server.address() as AddressInfo).port;
}

async function behave(upstream: Upstream, behavior: Behavior): Promise<void> {
  const { listens } = upstream.behavior;
  upstream.behavior = behavior;
  if (behavior.listens === listens) return;
  if (behavior.listens) return listen(upstream);
  upstream.server.close();
  for (const socket of upstream.sockets) socket.resetAndDestroy();
}

function takeArrivals(upstream: Upstream): readonly number[] {
  const taken = upstream.arrivals;
  upstream.arrivals = [];
  return taken;
}

async function answer(upstream: Upstream, response: http.ServerResponse): Promise<void> {
  const { behavior, random } = upstream;
  const mishap = behavior.mishaps.find(({ share }) => random() < share);
  if (behavior.delayMs > 0) await setTimeout(behavior.delayMs);
  if (response.destroyed) return;
  response.setHeader("x-served-by", upstream.name);
  if (mishap === undefined) response.end(upstream.name);
  else await commit(mishap.fault, response);
}

async function commit(fault: Fault, response: http.ServerResponse): Promise<void> {
  switch (fault.kind) {
    case "status":
      response.writeHead(fault.status).end();
      return;
    case "reset":
      if (fault.after === "headers") await begin(response, 100);
      reset(response);
      return;
    case "black-hole":
      return;
    case "slow-body":
      await begin(response, 11);
      for (let byte = 0; byte < 10; byte++) {
        await setTimeout(fault.overMs / 10);
        response.write("x");
      }
      response.end();
      return;
    case "endless":
      response.writeHead(200, { "content-type": "text/event-stream" });
      while (!response.destroyed) {
        response.write("data: x\n\n");
        await setTimeout(100);
      }
      return;
    case "wrong-length":
      await begin(response, 100);
      response.socket?.end();
      return;
  }
}

/** Sends headers and one byte of `length`. */
function begin(response: http.ServerResponse, length: number): Promise<void> {
  response.writeHead(200, { "content-length": length });
  return new Promise((resolve) => response.write("x", () => resolve()));
}

function reset(response: http.ServerResponse): void {
  response.socket?.resetAndDestroy();
}

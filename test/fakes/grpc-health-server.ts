/** A server of gRPC's health protocol, on Node's own HTTP/2. */
import http2 from "node:http2";
import type { AddressInfo } from "node:net";

/** What a server says: a status by its number in the protocol, or what else a server may do. */
export type HealthAnswer =
  | number
  | "unknown service"
  | "reset"
  | "silence"
  /** SERVING, one byte a frame. */
  | "in pieces";

export interface HealthServer {
  readonly url: string;
  readonly port: number;
  /** Header fields and message, as hexadecimal digits, of the calls that came. */
  readonly calls: { readonly headers: http2.IncomingHttpHeaders; readonly message: string }[];
  answer: HealthAnswer;
  stop(): Promise<void>;
  /** Takes the same port again. */
  start(): Promise<void>;
}

/** Starts one without TLS at a free port of 127.0.0.1; it says SERVING unless told otherwise. */
export async function startHealthServer(): Promise<HealthServer> {
  const calls: HealthServer["calls"] = [];
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = http2.createServer();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  server.on("stream", (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on("error", () => undefined);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      calls.push({ headers, message: Buffer.concat(chunks).toString("hex") });
      void reply(stream, health.answer);
    });
  });
  const listen = (port: number) =>
    new Promise<void>((resolve) => void server.listen(port, "127.0.0.1", resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const health: HealthServer = {
    url: `http://127.0.0.1:${port}`,
    port,
    calls,
    answer: 1,
    start: () => listen(port),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const session of sessions) session.destroy();
      }),
  };
  return health;
}

async function reply(stream: http2.ServerHttp2Stream, answer: HealthAnswer): Promise<void> {
  const head = { ":status": 200, "content-type": "application/grpc" };
  if (answer === "silence") return;
  if (answer === "reset") return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
  if (answer === "unknown service") return stream.respond({ ...head, "grpc-status": 5 }, { endStream: true });
  const message = Buffer.from([0, 0, 0, 0, 2, 8, answer === "in pieces" ? 1 : answer]);
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.respond(head, { waitForTrailers: true });
  if (answer === "in pieces") {
    for (const byte of message.subarray(0, -1)) {
      await new Promise((resolve) => stream.write(Uint8Array.of(byte), resolve));
    }
    stream.end(message.subarray(-1));
  } else stream.end(message);
}

import net from "node:net";
import { expect, onTestFinished, test } from "vitest";
import * as grpcHealth from "../../shared/engine/grpc-health.ts";
import * as http2 from "../../shared/engine/http2.ts";
import { startHealthServer, type HealthAnswer, type HealthServer } from "../fakes/grpc-health-server.ts";
import { seeded } from "./random.ts";

const CALL: grpcHealth.HealthCall = {
  scheme: "http",
  authority: "cart.example:8443",
  service: "",
  timeoutMs: 1_000,
  userAgent: "selvedge-health/1",
};

const { data, goAway, headers, ping, resetStream, settings } = http2.FRAME;

function frame(type: number, stream: number, payload: readonly number[], flags = 0): Uint8Array {
  return http2.encodeFrame({ type, flags, stream, payload: Uint8Array.from(payload) });
}

const HELLO = frame(settings, 0, []);
const NO_HTTP2 = "the server does not speak HTTP/2, or over TLS not without ALPN";
const MESSAGE = [0, 0, 0, 0, 2, 8, 1];

/** SERVING behind fields that a client of today does not know: one of each wire type. */
const TOMORROW = [0x12, 2, 8, 2, 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3, 4, 0x28, 0x80, 1, 8, 1];

/** What comes of an answer whose bytes are cut at these places. */
function outcomeOf(answer: Uint8Array, cuts: readonly number[] = []): grpcHealth.Step {
  let step: grpcHealth.Step = {
    kind: "reading",
    reading: grpcHealth.NOTHING,
    reply: new Uint8Array(0),
  };
  let from = 0;
  for (const to of [...cuts, answer.length]) {
    if (step.kind !== "reading") return step;
    step = grpcHealth.receive(step.reading, answer.subarray(from, to));
    from = to;
  }
  return step;
}

test.each<[what: string, frames: readonly Uint8Array[], expected: grpcHealth.Step]>([
  ["SERVING", [HELLO, frame(headers, 1, [0x88], 4), frame(data, 1, MESSAGE)], { kind: "serving" }],
  ["SERVING with padding", [HELLO, frame(data, 1, [2, ...MESSAGE, 0, 0], 8)], { kind: "serving" }],
  [
    "SERVING over frames",
    [HELLO, frame(data, 1, MESSAGE.slice(0, 3)), frame(data, 1, []), frame(data, 1, MESSAGE.slice(3))],
    { kind: "serving" },
  ],
  [
    "SERVING among fields of tomorrow",
    [HELLO, frame(data, 1, [0, 0, 0, 0, TOMORROW.length, ...TOMORROW])],
    { kind: "serving" },
  ],
  ["NOT_SERVING", [HELLO, frame(data, 1, [0, 0, 0, 0, 2, 8, 2])], { kind: "failed", reason: "NOT_SERVING" }],
  [
    "SERVICE_UNKNOWN",
    [HELLO, frame(data, 1, [0, 0, 0, 0, 2, 8, 3])],
    { kind: "failed", reason: "SERVICE_UNKNOWN" },
  ],
  [
    "a status of tomorrow",
    [HELLO, frame(data, 1, [0, 0, 0, 0, 2, 8, 9])],
    { kind: "failed", reason: "status 9" },
  ],
  [
    "nothing said, which is 0",
    [HELLO, frame(data, 1, [0, 0, 0, 0, 0])],
    { kind: "failed", reason: "UNKNOWN" },
  ],
  [
    "a compressed message",
    [HELLO, frame(data, 1, [1, 0, 0, 0, 2, 8, 1])],
    { kind: "failed", reason: "a compressed message, which nobody has asked for" },
  ],
  [
    "a message that is cut in a field",
    [HELLO, frame(data, 1, [0, 0, 0, 0, 2, 0x0a, 9])],
    { kind: "failed", reason: "a malformed message" },
  ],
  [
    "a message too large",
    [HELLO, frame(data, 1, [0, 1, 0, 0, 0])],
    { kind: "failed", reason: "a message too large" },
  ],
  [
    "padding longer than its frame",
    [HELLO, frame(data, 1, [9, ...MESSAGE], 8)],
    { kind: "failed", reason: "a frame with too much padding" },
  ],
  [
    "trailers at once",
    [HELLO, frame(headers, 1, [0x88], 5)],
    { kind: "failed", reason: "no health in the answer: an unknown service, or no health service" },
  ],
  [
    "an end within the message",
    [HELLO, frame(data, 1, MESSAGE.slice(0, 6), 1)],
    { kind: "failed", reason: "no health in the answer: an unknown service, or no health service" },
  ],
  [
    "a reset",
    [HELLO, frame(resetStream, 1, [0, 0, 0, 7])],
    { kind: "failed", reason: "the server reset the call, error 7" },
  ],
  [
    "a farewell",
    [HELLO, frame(goAway, 0, [0, 0, 0, 0, 0, 0, 0, 2])],
    { kind: "failed", reason: "the server turned the connection away, error 2" },
  ],
  ["HTTP/1.1", [http2.ascii("HTTP/1.1 400 Bad Request\r\n\r\n")], { kind: "failed", reason: NO_HTTP2 }],
  ["no settings first", [frame(data, 1, MESSAGE)], { kind: "failed", reason: NO_HTTP2 }],
  [
    "a frame too large",
    [HELLO, Uint8Array.of(0, 0x40, 1, 0, 0, 0, 0, 0, 1)],
    { kind: "failed", reason: "a frame too large" },
  ],
])("%s is told wherever its bytes are cut", (_what, frames, expected) => {
  const answer = http2.concat(frames);
  const everyByte = Array.from({ length: answer.length }, (_, index) => index);
  expect(outcomeOf(answer)).toEqual(expected);
  expect(outcomeOf(answer, everyByte)).toEqual(expected);
  const random = seeded(answer.length);
  const some = everyByte.filter(() => random() < 0.3);
  expect(outcomeOf(answer, some)).toEqual(expected);
});

test("frames of other streams and unknown types say nothing", () => {
  const others = [frame(data, 3, MESSAGE), frame(resetStream, 3, [0, 0, 0, 7]), frame(99, 1, [1, 2, 3])];
  expect(outcomeOf(http2.concat([HELLO, ...others]))).toMatchObject({ kind: "reading" });
});

test("settings and pings are acknowledged, acknowledgements are not", () => {
  const beat = [1, 2, 3, 4, 5, 6, 7, 8];
  const answer = http2.concat([
    HELLO,
    frame(settings, 0, [], 1),
    frame(ping, 0, beat),
    frame(ping, 0, beat, 1),
  ]);
  expect(outcomeOf(answer)).toMatchObject({
    reply: http2.concat([frame(settings, 0, [], 1), frame(ping, 0, beat, 1)]),
  });
});

test("a server that talks without end is left", () => {
  const chatter = http2.concat([HELLO, ...Array.from({ length: 5_000 }, () => frame(99, 1, [1, 2, 3, 4]))]);
  const cuts = Array.from({ length: 64 }, (_, index) => index * 1_024);
  expect(outcomeOf(chatter, cuts)).toEqual({ kind: "failed", reason: "more than 65000 bytes" });
});

async function started(answer: HealthAnswer): Promise<HealthServer> {
  const server = await startHealthServer();
  onTestFinished(() => server.stop());
  server.answer = answer;
  return server;
}

/** Carries a call to a server, as a probe does. */
function carry(port: number, call: grpcHealth.HealthCall): Promise<grpcHealth.Step> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write(grpcHealth.encodeCall(call)));
    let reading = grpcHealth.NOTHING;
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      const step = grpcHealth.receive(reading, chunk);
      if (step.kind === "reading") {
        reading = step.reading;
        socket.write(step.reply);
        return;
      }
      socket.destroy();
      resolve(step);
    });
  });
}

test.each<[answer: HealthAnswer, expected: grpcHealth.Step]>([
  [1, { kind: "serving" }],
  ["in pieces", { kind: "serving" }],
  [2, { kind: "failed", reason: "NOT_SERVING" }],
  [
    "unknown service",
    { kind: "failed", reason: "no health in the answer: an unknown service, or no health service" },
  ],
  ["reset", { kind: "failed", reason: "the server reset the call, error 7" }],
])("Node's own HTTP/2 server that answers %s is understood", async (answer, expected) => {
  const server = await started(answer);
  expect(await carry(server.port, CALL)).toEqual(expected);
});

test.each<[service: string, authority: string, message: string]>([
  ["", "cart.example", "0000000000"],
  ["shop.v1.Cart", "cart.example:8443", "000000000e0a0c73686f702e76312e43617274"],
  // Lengths of more than one byte, in HPACK and in Protocol Buffers.
  ["s".repeat(200), `${"h".repeat(250)}:8443`, `00000000cb0ac801${"73".repeat(200)}`],
])("Node's own HTTP/2 server reads what is asked of %s at %s", async (service, authority, message) => {
  const server = await started(1);
  await carry(server.port, { ...CALL, service, authority });
  expect(server.calls).toEqual([
    {
      message,
      headers: expect.objectContaining({
        ":method": "POST",
        ":scheme": "http",
        ":path": "/grpc.health.v1.Health/Check",
        ":authority": authority,
        te: "trailers",
        "content-type": "application/grpc",
        "grpc-timeout": "1000m",
        "user-agent": "selvedge-health/1",
      }),
    },
  ]);
});

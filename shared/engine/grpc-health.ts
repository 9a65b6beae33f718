/**
 * gRPC's health checking protocol (`grpc.health.v1.Health/Check`) as bytes:
 * what a client sends, and what it makes of what comes back. One call on a
 * connection of its own, so that there is no flow control to keep: everything
 * a server may send fits into the window that each connection begins with.
 *
 * @module
 */
import * as http2 from "./http2.ts";
import type { Millis } from "./time.ts";

export interface HealthCall {
  readonly scheme: "http" | "https";
  /** The host and port that the server sees. */
  readonly authority: string;
  /** Which service is meant; empty for the server as a whole. ASCII. */
  readonly service: string;
  readonly timeoutMs: Millis;
  readonly userAgent: string;
}

/** The first stream of a client (RFC 9113 §5.1.1). */
const STREAM = 1;

const ENABLE_PUSH = 2;

/** The whole call, from HTTP/2's preface on. There is no need to wait for anything before sending it. */
export function encodeCall(call: HealthCall): Uint8Array {
  const { data, headers, settings } = http2.FRAME;
  const noPush = Uint8Array.from([0, ENABLE_PUSH, ...http2.uint32(0)]);
  return http2.concat([
    http2.PREFACE,
    http2.encodeFrame({ type: settings, flags: 0, stream: 0, payload: noPush }),
    http2.encodeFrame({
      type: headers,
      flags: http2.END_HEADERS,
      stream: STREAM,
      payload: http2.encodeFields(fieldsOf(call)),
    }),
    http2.encodeFrame({
      type: data,
      flags: http2.END_STREAM,
      stream: STREAM,
      payload: encodeRequest(call.service),
    }),
  ]);
}

function fieldsOf({ scheme, authority, timeoutMs, userAgent }: HealthCall): (readonly [string, string])[] {
  return [
    [":method", "POST"],
    [":scheme", scheme],
    [":path", "/grpc.health.v1.Health/Check"],
    [":authority", authority],
    ["te", "trailers"],
    ["content-type", "application/grpc"],
    ["grpc-timeout", `${timeoutMs}m`],
    ["user-agent", userAgent],
  ];
}

/** A message of gRPC: not compressed, its length, and field 1 of HealthCheckRequest. */
function encodeRequest(service: string): Uint8Array {
  const message =
    service === ""
      ? new Uint8Array(0)
      : http2.concat([Uint8Array.of(0x0a), http2.varint(service.length), http2.ascii(service)]);
  return http2.concat([Uint8Array.from([0, ...http2.uint32(message.length)]), message]);
}

/** Below HTTP/2's first window of 65,535 bytes, so that it never has to be widened. */
const MAX_BYTES = 65_000;

/** What has come of an answer so far. */
export interface Reading {
  readonly bytes: number;
  /** Whether the server has sent SETTINGS, which come first from all that speak HTTP/2. */
  readonly isHttp2: boolean;
  /** Of a frame that is not complete. */
  readonly pending: Uint8Array;
  /** Of the message. */
  readonly message: Uint8Array;
}

/** Nothing yet. */
export const NOTHING: Reading = {
  bytes: 0,
  isHttp2: false,
  pending: new Uint8Array(0),
  message: new Uint8Array(0),
};

export type Step =
  /** `reply` is to be sent; it may be empty. */
  | { readonly kind: "reading"; readonly reading: Reading; readonly reply: Uint8Array }
  | { readonly kind: "serving" }
  /** `reason` is for the log. */
  | { readonly kind: "failed"; readonly reason: string };

/** Takes what came next. Bytes may be cut anywhere. */
export function receive(reading: Reading, chunk: Uint8Array): Step {
  const bytes = reading.bytes + chunk.length;
  if (bytes > MAX_BYTES) return failed(`more than ${MAX_BYTES} bytes`);
  let next: Reading = { ...reading, bytes, pending: http2.concat([reading.pending, chunk]) };
  const replies: Uint8Array[] = [];
  for (;;) {
    const decoded = http2.decodeFrame(next.pending);
    if (decoded.kind === "oversized") return failed(next.isHttp2 ? "a frame too large" : NO_HTTP2);
    if (decoded.kind === "partial") return { kind: "reading", reading: next, reply: http2.concat(replies) };
    const step = takeFrame({ ...next, pending: decoded.rest }, decoded.frame);
    if (step.kind !== "reading") return step;
    next = step.reading;
    replies.push(step.reply);
  }
}

/** A Worker's sockets offer no ALPN, so that over TLS it is by prior knowledge, too. */
const NO_HTTP2 = "the server does not speak HTTP/2, or over TLS not without ALPN";

function failed(reason: string): Step {
  return { kind: "failed", reason };
}

function takeFrame(reading: Reading, frame: http2.Frame): Step {
  const { type, flags, stream, payload } = frame;
  if (!reading.isHttp2 && type !== http2.FRAME.settings) return failed(NO_HTTP2);
  switch (type) {
    case http2.FRAME.settings:
    case http2.FRAME.ping:
      return { kind: "reading", reading: { ...reading, isHttp2: true }, reply: acknowledge(frame) };
    case http2.FRAME.goAway:
      return failed(`the server turned the connection away, error ${http2.readUint32(payload, 4)}`);
    case http2.FRAME.resetStream:
      if (stream !== STREAM) break;
      return failed(`the server reset the call, error ${http2.readUint32(payload, 0)}`);
    case http2.FRAME.data:
      if (stream !== STREAM) break;
      return takeData(reading, frame);
    case http2.FRAME.headers:
      // Fields stay unread: whatever they say, only a message says SERVING.
      if (stream !== STREAM || (flags & http2.END_STREAM) === 0) break;
      return failed(NO_MESSAGE);
  }
  return { kind: "reading", reading, reply: NO_BYTES };
}

const NO_MESSAGE = "no health in the answer: an unknown service, or no health service";

const NO_BYTES = new Uint8Array(0);

function acknowledge({ type, flags, payload }: http2.Frame): Uint8Array {
  if ((flags & http2.ACK) !== 0) return NO_BYTES;
  const echo = type === http2.FRAME.ping ? payload : NO_BYTES;
  return http2.encodeFrame({ type, flags: http2.ACK, stream: 0, payload: echo });
}

function takeData(reading: Reading, frame: http2.Frame): Step {
  const data = http2.dataOf(frame);
  if (data === null) return failed("a frame with too much padding");
  const message = http2.concat([reading.message, data]);
  const verdict = judge(message);
  if (verdict !== null) return verdict;
  if ((frame.flags & http2.END_STREAM) !== 0) return failed(NO_MESSAGE);
  return { kind: "reading", reading: { ...reading, message }, reply: NO_BYTES };
}

/** gRPC's flag and length before each message. */
const PREFIX_BYTES = 5;

/** What a message says; `null` until all of it is there. */
function judge(bytes: Uint8Array): Step | null {
  if (bytes.length < PREFIX_BYTES) return null;
  if (bytes[0] !== 0) return failed("a compressed message, which nobody has asked for");
  const end = PREFIX_BYTES + http2.readUint32(bytes, 1);
  if (end > MAX_BYTES) return failed("a message too large");
  if (bytes.length < end) return null;
  const status = statusOf(bytes.subarray(PREFIX_BYTES, end));
  if (status === null) return failed("a malformed message");
  return status === SERVING ? { kind: "serving" } : failed(STATUSES[status] ?? `status ${status}`);
}

const SERVING = 1;

const STATUSES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

const STATUS_FIELD = 1;

/** Field 1 of HealthCheckResponse, 0 without one; fields that are new are passed over. `null` if it is malformed. */
function statusOf(message: Uint8Array): number | null {
  let status = 0;
  for (let at = 0; at < message.length;) {
    const tag = readVarint(message, at);
    const value = tag === null ? null : readField(message, tag);
    if (tag === null || value === null) return null;
    if (tag.value >>> 3 === STATUS_FIELD) status = value.value;
    at = value.next;
  }
  return status;
}

interface Read {
  readonly value: number;
  /** Where the next one begins. */
  readonly next: number;
}

/** The value of a number, or the length of anything else. */
function readField(message: Uint8Array, { value: tag, next }: Read): Read | null {
  switch (tag & 7) {
    case 0:
      return readVarint(message, next);
    case 1:
      return within(message, { value: 8, next: next + 8 });
    case 2: {
      const length = readVarint(message, next);
      return length === null ? null : within(message, { ...length, next: length.next + length.value });
    }
    case 5:
      return within(message, { value: 4, next: next + 4 });
    default:
      return null;
  }
}

function within(message: Uint8Array, read: Read): Read | null {
  return read.next > message.length ? null : read;
}

/** Protocol Buffers write at most ten bytes. */
const MAX_VARINT_BYTES = 10;

function readVarint(message: Uint8Array, at: number): Read | null {
  let value = 0;
  for (let index = 0; index < MAX_VARINT_BYTES; index += 1) {
    const byte = message[at + index];
    if (byte === undefined) return null;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, next: at + index + 1 };
  }
  return null;
}

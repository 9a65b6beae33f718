/**
 * Stands in the middle of what stays open, so that it can be cut.
 *
 * @module
 */
import type { Held } from "../shared/forward/ports.ts";

/** RFC 6455 §7.4.1: a message, or its sender, is not welcome any more. */
const POLICY_VIOLATION = 1008;
const INTERNAL_ERROR = 1011;

/** What a held body is read by, where code of ours moves it: the runtime's own measure for a chunk. */
const CHUNK_BYTES = 65_536;

/**
 * Holds a WebSocket or the body of a response that another Worker or the
 * network gave; `null` when it has neither. The runtime moves the bytes without
 * waking any code of ours, as fast as they are read at the other end.
 */
export function hold(response: Response): Held | null {
  return holdBy(response, (body, writable, signal) => body.pipeTo(writable, { signal }));
}

/**
 * The same for a response that code of this Worker has made. Its body may come
 * out of an IdentityTransformStream, and workerd cannot pipe one into another:
 * bytes of the runtime's own streams are carried over, as they come.
 */
export function holdMade(response: Response): Held | null {
  return holdBy(response, (body, writable, signal) => {
    const reader = byteReader(body);
    return reader === null
      ? body.pipeTo(writable, { signal })
      : carryOver(reader, writable.getWriter(), signal);
  });
}

/** Moves all of a body, and settles when that is over. */
type Move = (body: ReadableStream, writable: WritableStream, signal: AbortSignal) => Promise<void>;

function holdBy(response: Response, move: Move): Held | null {
  if (response.webSocket !== null) return holdSocket(response, response.webSocket);
  if (response.body === null) return null;
  const { readable, writable } = passageFor(response.headers);
  const control = new AbortController();
  const state = { isOpen: true };
  const close = (): void => {
    state.isOpen = false;
  };
  // Both ends see for themselves how it ended.
  move(response.body, writable, control.signal).then(close, close);
  return {
    response: new Response(readable, response),
    isOpen: () => state.isOpen,
    cut: () => {
      close();
      control.abort(new Error("not admitted any more"));
    },
  };
}

/** The body's length stays told, unless the runtime has unpacked it and packs it again. */
function passageFor(headers: Headers): IdentityTransformStream {
  const length = headers.get("content-length");
  return length === null || headers.has("content-encoding")
    ? new IdentityTransformStream()
    : new FixedLengthStream(Number(length));
}

/** `null`: a stream that code has made of chunks, which may be piped anywhere. */
function byteReader(body: ReadableStream): ReadableStreamBYOBReader | null {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    // The only way to learn that a stream is none of bytes.
    return null;
  }
}

async function carryOver(
  reader: ReadableStreamBYOBReader,
  writer: WritableStreamDefaultWriter,
  signal: AbortSignal,
): Promise<void> {
  const end = (why: unknown): void => {
    // Either may have ended already: then there is nothing to give up.
    reader.cancel(why).catch(() => undefined);
    writer.abort(why).catch(() => undefined);
  };
  signal.addEventListener("abort", () => end(signal.reason), { once: true });
  try {
    for (let buffer = new ArrayBuffer(CHUNK_BYTES); ;) {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (done) return await writer.close();
      await writer.write(value);
      buffer = value.buffer;
    }
  } catch (error) {
    end(error);
  }
}

function holdSocket(response: Response, upstream: WebSocket): Held {
  const { 0: outer, 1: client } = new WebSocketPair();
  const state = { isOpen: true };
  for (const [from, to] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    // Messages go on as they come: a blob would have to be read first.
    from.binaryType = "arraybuffer";
    from.accept();
    from.addEventListener("message", ({ data }) => pass(to, data));
    from.addEventListener("close", ({ code, reason }) => {
      state.isOpen = false;
      close(to, code, reason);
    });
    from.addEventListener("error", () => {
      state.isOpen = false;
      close(to, INTERNAL_ERROR, "");
    });
  }
  return {
    response: new Response(null, { status: 101, headers: response.headers, webSocket: outer }),
    isOpen: () => state.isOpen,
    cut: () => {
      state.isOpen = false;
      close(client, POLICY_VIOLATION, "not admitted any more");
      close(upstream, POLICY_VIOLATION, "not admitted any more");
    },
  };
}

function pass(to: WebSocket, data: string | ArrayBuffer | Blob): void {
  if (data instanceof Blob) return;
  try {
    to.send(data);
  } catch {
    // The other end has gone, and its own event tells so.
  }
}

function close(socket: WebSocket, code: number, reason: string): void {
  try {
    // 1005 and 1006 say that no code came: they may not be sent.
    if (code === 1005 || code === 1006) socket.close();
    else socket.close(code, reason);
  } catch {
    // It was closed before.
  }
}

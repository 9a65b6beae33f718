/**
 * Stands in the middle of a response that stays open, so that it can be cut.
 *
 * @module
 */
import type { Held } from "../../shared/forward/ports.ts";

/** RFC 6455 §7.4.1: a message, or its sender, is not welcome any more. */
const POLICY_VIOLATION = 1008;
const INTERNAL_ERROR = 1011;

/** Holds a WebSocket or a body. */
export function hold(response: Response): Held {
  return response.webSocket === null ? holdBody(response) : holdSocket(response, response.webSocket);
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

function holdBody(response: Response): Held {
  const reader = response.body?.getReader();
  if (reader === undefined) return { response, isOpen: () => false, cut: () => undefined };
  const state = { isOpen: true };
  let control: ReadableStreamDefaultController<Uint8Array> | null = null;
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        control = controller;
      },
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (!state.isOpen) return;
        state.isOpen = !done;
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => {
        state.isOpen = false;
        return reader.cancel(reason);
      },
    },
    // Reads only when somebody wants more: a slow reader is not read ahead of.
    { highWaterMark: 0 },
  );
  return {
    response: new Response(body, response),
    isOpen: () => state.isOpen,
    cut: () => {
      state.isOpen = false;
      const why = new Error("not admitted any more");
      control?.error(why);
      // It may have broken already: then there is nothing to give up.
      reader.cancel(why).catch(() => undefined);
    },
  };
}

/**
 * Responses that fall silent: a body that brings nothing for too long is
 * broken off, so that neither end waits for ever.
 *
 * @module
 */
import type { Millis } from "../engine/time.ts";
import type { Ports } from "./ports.ts";

/** The response with a limit to the silence of its body. Wraps it: only where a policy asks for that. */
export function limitSilence(ports: Ports, response: Response, idleMs: Millis): Response {
  // A switched connection is no body; its two ends know when to give it up.
  if (response.body === null || response.status === 101) return response;
  return new Response(broken(ports, response.body.getReader(), idleMs), response);
}

function broken(
  ports: Ports,
  reader: ReadableStreamDefaultReader<Uint8Array>,
  idleMs: Millis,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const cancel = ports.timer(idleMs, () => {
          const silence = new Error(`nothing came for ${idleMs} ms`);
          controller.error(silence);
          // It may have broken already: then there is nothing to give up.
          reader.cancel(silence).catch(() => undefined);
        });
        try {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } finally {
          cancel();
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    // Reads only when somebody wants more: a slow reader is no silence.
    { highWaterMark: 0 },
  );
}

import { request } from "node:http";
import type { Duplex } from "node:stream";

/** Opens a WebSocket, sends one short text and returns the text that comes back. */
export function upgrade(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
  text: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const opening = request({
      host: "127.0.0.1",
      port,
      path,
      timeout: 5_000,
      headers: {
        ...headers,
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      },
    });
    opening.on("upgrade", (_response, socket: Duplex, head: Buffer) => {
      const read = (frame: Buffer): void => {
        if (frame.length < 2) return;
        resolve(frame.subarray(2).toString());
        socket.destroy();
      };
      socket.on("data", read);
      read(head);
      socket.write(maskedFrame(text));
    });
    opening.on("response", ({ statusCode }) => reject(new Error(`no upgrade: ${statusCode}`)));
    opening.on("timeout", () => opening.destroy(new Error("no answer in time")));
    opening.on("error", reject);
    opening.end();
  });
}

/** A text frame of a client (RFC 6455 §5.2), masked with zeros. */
function maskedFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { onTestFinished } from "vitest";

export interface Upstream {
  readonly url: string;
  /** Requests seen so far, oldest first. */
  readonly seen: readonly SeenRequest[];
  /** Requests that are neither answered nor given up by whoever sent them. */
  open(): number;
  /** Ends it: whoever connects from now on is refused. */
  close(): Promise<void>;
}

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export type Behavior = (seen: SeenRequest, response: ServerResponse) => void;

/** Answers 200 with what it saw. */
export const echo: Behavior = (seen, response) => {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(seen));
};

/** Answers with a status and nothing else. */
export function always(status: number): Behavior {
  return (_seen, response) => {
    response.statusCode = status;
    response.end();
  };
}

/** Takes the request and never answers. */
export const silent: Behavior = () => undefined;

/** A service instance: a plain HTTP server on loopback, gone when the test is. */
export async function startUpstream(behavior: Behavior): Promise<Upstream> {
  const seen: SeenRequest[] = [];
  let open = 0;
  const server = createServer((request, response) => {
    open += 1;
    response.on("close", () => (open -= 1));
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url: path = "", headers } = request;
      const entry = { method, path, headers, body: Buffer.concat(chunks).toString() };
      seen.push(entry);
      behavior(entry, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = (): Promise<void> => closeServer(server);
  onTestFinished(close);
  return { url: `http://127.0.0.1:${portOf(server)}`, seen, open: () => open, close };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

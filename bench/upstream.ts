/**
 * The service behind every scenario: a Node process that answers one kilobyte.
 * A process of its own, so that its work never counts as the mesh's.
 *
 * @module
 */
import http from "node:http";

const body = Buffer.alloc(1024, "x");

const server = http.createServer((_request, response) => {
  response.writeHead(200, { "content-type": "text/plain", "content-length": body.length });
  response.end(body);
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  process.send?.(address.port);
});
process.on("disconnect", () => process.exit(0));

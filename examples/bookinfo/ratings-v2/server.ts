/**
 * ratings v2, a plain Node server: it knows nothing of the mesh, which reaches
 * it as an http origin.
 *
 *   node examples/bookinfo/ratings-v2/server.ts [port]
 *
 * @module
 */
import http from "node:http";

/** The port that the example's Endpoint names. */
const DEFAULT_PORT = 9081;

const server = http.createServer((request, response) => {
  const { status, body } = answer(request.method ?? "", request.url ?? "");
  response.writeHead(status, { "content-type": "application/json", "x-served-by": "ratings-v2" });
  response.end(request.method === "HEAD" ? undefined : JSON.stringify(body));
});

server.on("error", (error) => {
  console.error(`ratings-v2: ${error.message}`);
  process.exit(1);
});
server.listen(Number(process.argv[2] ?? DEFAULT_PORT), "127.0.0.1", () => {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : null;
  if (process.send === undefined) console.log(`ratings-v2 listens on http://127.0.0.1:${port}`);
  else process.send({ port });
});
// Started by `selvedge dev`: ends with it, however that ends.
process.on("disconnect", () => process.exit(0));

function answer(method: string, path: string): { status: number; body: unknown } {
  if (method !== "GET" && method !== "HEAD") return { status: 405, body: { error: "method not allowed" } };
  if (path === "/health") return { status: 200, body: { status: "Ratings is healthy" } };
  const id = /^\/ratings\/(\d{1,9})$/.exec(path)?.[1];
  if (id === undefined) return { status: 404, body: { error: "not found" } };
  return { status: 200, body: { id: Number(id), ratings: { Reviewer1: 5, Reviewer2: 4 } } };
}

import { mesh } from "selvedge/worker";

/**
 * Asks the URL in `x-backend`, or does with the request's body what `x-body` says; without one, tells what it
 * saw of the request, and who it knows the caller to be.
 */
export default mesh(
  {
    fetch(request, _env, ctx) {
      if (request.headers.get("upgrade") === "websocket") return echoSocket();
      const use = request.headers.get("x-body");
      if (use !== null) return useBody(request, use);
      const backend = request.headers.get("x-backend");
      if (backend !== null) return fetch(backend);
      return Response.json({
        method: request.method,
        url: request.url,
        headers: Object.fromEntries(request.headers),
        caller: ctx.mesh.caller?.principal ?? null,
      });
    },
  },
  { workload: "conformance/callee" },
);

/** Sends it back as it comes, or answers when it has ended. */
async function useBody({ body }: Request, use: string): Promise<Response> {
  const headers = { "content-type": "application/grpc" };
  if (use === "echo") return new Response(body, { headers });
  await body?.pipeTo(new WritableStream());
  return new Response("read");
}

function echoSocket(): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  server.binaryType = "arraybuffer";
  server.accept();
  server.addEventListener("message", ({ data }) =>
    server.send(typeof data === "string" ? `echo ${data}` : data),
  );
  return new Response(null, { status: 101, webSocket: client });
}

import { mesh } from "selvedge/worker";

/** Asks the URL in `x-backend`; without one, tells what it saw of the request, and who it knows the caller to be. */
export default mesh(
  {
    fetch(request, _env, ctx) {
      if (request.headers.get("upgrade") === "websocket") return echoSocket();
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

function echoSocket(): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  server.binaryType = "arraybuffer";
  server.accept();
  server.addEventListener("message", ({ data }) =>
    server.send(typeof data === "string" ? `echo ${data}` : data),
  );
  return new Response(null, { status: 101, webSocket: client });
}

import { mesh } from "selvedge/worker";

/** Calls the URL in `x-call` through its own mesh and answers with what it gets. */
export default mesh(
  {
    fetch(request, _env, ctx) {
      const headers = new Headers(request.headers);
      headers.delete("x-call");
      const { method, body, signal } = request;
      return ctx.mesh.fetch(request.headers.get("x-call") ?? "", {
        method,
        headers,
        body,
        signal,
        redirect: "manual",
      });
    },
  },
  { workload: "conformance/caller" },
);

import { mesh } from "selvedge/worker";

/** Calls the callee by its name in the mesh. */
export default mesh(
  {
    fetch(request, _env, ctx) {
      const { pathname, search } = new URL(request.url);
      return ctx.mesh.fetch(`http://callee${pathname}${search}`, { headers: request.headers });
    },
  },
  { workload: "bench/caller" },
);

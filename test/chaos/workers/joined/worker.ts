import { mesh } from "selvedge/worker";

/** Passes every call on to the service web. */
export default mesh(
  {
    fetch(request, _env, ctx) {
      const { pathname } = new URL(request.url);
      return ctx.mesh.fetch(`http://web${pathname}`, { redirect: "manual" });
    },
  },
  { workload: "chaos/caller" },
);
